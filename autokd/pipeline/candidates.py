"""From a search space to candidates: students within ratio and budget, each with a serving cost that was measured.

A long list is not measured as a whole. A few students that cover its sizes are measured first; a prediction fitted on
them refuses what is above the budget by more than its margin, and of what is left no more are measured than a search
of this many trials can make use of. A short list is measured from end to end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.cost.predict import FEWEST, Prediction, fit, spread_out
from autokd.formatting import usd
from autokd.pipeline.edge_probes import affordable_first, nearest_beyond
from autokd.pipeline.services import Parts, Prepared
from autokd.progress import Listener
from autokd.records import Arm, Candidate, CostModel, CostPrediction, LeftOut, Reading

if TYPE_CHECKING:
    from autokd.cost.meter import Meter
    from autokd.zoo.catalogue import Count

SAMPLE = 12  # students that a prediction is fitted on
SHORT = 2 * SAMPLE  # lists up to this length are measured as a whole
DOUBTFUL = 3  # refused students closest to the budget, measured to see whether the refusal was right
TRIALS = 24  # where nobody has settled their number
STUDENTS_A_TRIAL = 3


@dataclass
class Found:
    """What a space comes to for one teacher and budget."""

    candidates: list[Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    readings: dict[str, Reading] = field(default_factory=dict)
    edges: list[Candidate] = field(default_factory=list)  # just beyond the range of ratios, where they are asked for
    prediction: CostPrediction | None = None  # None where every student was measured or priced by its parameters


def find_candidates(
    prepared: Prepared, config: SearchConfig, parts: Parts, model: CostModel, listener: Listener
) -> Found:
    """Students of the space within ratio and budget, and those left out with the reason."""
    from autokd.tune.space.files import read_space
    from autokd.weights.assign import without_weights
    from autokd.zoo.count import count_all
    from autokd.zoo.ratio_filter import sift

    names, size = read_space(config.space).names(), prepared.task.transform.image_size
    teacher = prepared.teacher
    counts, refused = count_all(names, len(prepared.task.classes), size, config.cache_dir, listener)
    arms, left_out = sift(counts, teacher.parameters, config.min_ratio, config.max_ratio, teacher.name)
    found = Found(left_out=[LeftOut(student=n, parameters=None, ratio=None, reason=r) for n, r in refused.items()])
    found.left_out += left_out
    listing = _Listing(arms, counts, teacher.parameters, config, found)
    for name, why in without_weights(arms, parts.supply(config)).items():
        listing.leave_out(name, why)
        del arms[name]
    beyond = nearest_beyond(counts, arms, teacher.parameters, config, parts.supply(config).lacks)
    named = [*arms, *(name for names in beyond.values() for name in names)]
    parameters = {teacher.name: teacher.parameters} | {name: counts[name].parameters for name in named}
    meter = parts.meter(prepared, parameters, config, model)
    if model.model == "params" or len(arms) <= SHORT:
        found.readings = meter.read(list(arms), listener)
        listing.sort(list(arms), {})
    else:
        _read_some(listing, meter, listener)
    for names in beyond.values():
        if unread := [name for name in names if name not in found.readings]:
            found.readings = meter.read(unread, listener)
        edge = affordable_first(names, found.readings, config.max_cost)
        found.edges += [listing.candidate(edge)] if edge else []
    return found


@dataclass(frozen=True)
class _Listing:
    """Students within the ratio, and where each one ends up."""

    arms: Mapping[str, tuple[Arm, ...]]
    counts: Mapping[str, Count]
    teacher_parameters: int
    config: SearchConfig
    found: Found

    def fits(self, name: str) -> bool:
        """Whether a measured student is within the budget."""
        reading = self.found.readings.get(name)
        return reading is not None and reading.cost_usd_per_1k.mean <= self.config.max_cost

    def sort(self, names: Sequence[str], predicted: Mapping[str, float]) -> None:
        """Measured students become candidates, or are left out for their cost."""
        for name in names:
            if not self.fits(name):
                self.leave_out(name, _why_not(self.found.readings.get(name), self.config))
                continue
            self.found.candidates.append(self.candidate(name, predicted.get(name)))

    def candidate(self, name: str, predicted: float | None = None) -> Candidate:
        """A measured student with all that is known of it; one beyond the range enters no arm."""
        count = self.counts[name]
        return Candidate(
            student=name,
            family=count.family,
            parameters=count.parameters,
            ratio=self.teacher_parameters / count.parameters,
            macs=count.macs,
            arms=self.arms.get(name, ()),
            reading=self.found.readings[name],
            predicted_usd_per_1k=predicted,
        )

    def leave_out(self, name: str, reason: str) -> None:
        """Not a candidate, with the measured cost where there is one."""
        count, reading = self.counts[name], self.found.readings.get(name)
        cost = reading.cost_usd_per_1k.mean if reading else None
        self.found.left_out.append(
            LeftOut(
                student=name,
                parameters=count.parameters,
                ratio=self.teacher_parameters / count.parameters,
                reason=reason,
                cost_usd_per_1k=cost if cost is not None and cost < 1e300 else None,
            )
        )


def _read_some(listing: _Listing, meter: Meter, listener: Listener) -> None:
    """Measure a sample, refuse by its prediction, measure no more of the others than can be tried."""
    found, config = listing.found, listing.config
    counts = {name: listing.counts[name] for name in listing.arms}
    sample = spread_out(counts, SAMPLE)
    found.readings = meter.read(sample, listener)
    measured = [name for name in sample if _finite(found.readings.get(name))]
    if len(measured) < FEWEST:
        rest = [name for name in counts if name not in sample]
        found.readings = meter.read(rest, listener)
        listing.sort(list(counts), {})
        return
    prediction, refused = _refused(listing, counts, measured, meter, listener)
    predicted = {name: prediction.cost(counts[name]) for name in counts}
    for name, error in zip(measured, prediction.errors, strict=False):  # those measured last were not fitted on
        predicted[name] = found.readings[name].cost_usd_per_1k.mean / (1 + error)
    left = {name: counts[name] for name in counts if name not in refused and name not in found.readings}
    room = max(0, STUDENTS_A_TRIAL * (config.trials or TRIALS) - sum(map(listing.fits, found.readings)))
    drawn = _thinned(left, room)
    found.readings = meter.read(drawn, listener)
    undrawn = set(left) - set(drawn)
    listing.sort([name for name in counts if name not in undrawn and name not in refused], predicted)
    for name in refused:
        cost = usd(predicted[name])
        listing.leave_out(name, f"it would cost about {cost} per 1,000 requests (predicted), above the budget")
    for name in sorted(undrawn):
        listing.leave_out(name, f"not drawn: {len(drawn)} of {len(left)} were, spread over families and sizes")
    found.prediction = _summary(prediction, [n for n in drawn if n in found.readings], len(refused), listing, predicted)


def _refused(
    listing: _Listing, counts: Mapping[str, Count], measured: list[str], meter: Meter, listener: Listener
) -> tuple[Prediction, list[str]]:
    """The prediction and whom it refuses, once the refused ones closest to the budget were measured and did not fit."""
    found, budget = listing.found, listing.config.max_cost
    while True:
        costs = [found.readings[name].cost_usd_per_1k.mean for name in measured]
        prediction = fit([counts[name] for name in measured], costs)
        refused = [n for n in counts if n not in found.readings and prediction.refuses(counts[n], budget)]
        doubtful = sorted(refused, key=lambda name: prediction.cost(counts[name]))[:DOUBTFUL]
        if not doubtful:
            return prediction, refused
        found.readings = meter.read(doubtful, listener)
        measured += [name for name in doubtful if _finite(found.readings.get(name))]
        if not any(listing.fits(name) for name in doubtful):
            return prediction, [name for name in refused if name not in doubtful]


def _thinned(counts: Mapping[str, Count], limit: int) -> list[str]:
    """At most `limit` students: families take turns, those with many first, and name their most different sizes."""
    families: dict[str, dict[str, Count]] = {}
    for name, count in counts.items():
        families.setdefault(count.family, {})[name] = count
    by_size = sorted(families, key=lambda family: (-len(families[family]), family))
    shares = dict.fromkeys(by_size, 0)
    for _ in range(min(limit, len(counts))):
        family = min((f for f in by_size if shares[f] < len(families[f])), key=lambda f: (shares[f], by_size.index(f)))
        shares[family] += 1
    kept = {name for family in by_size for name in spread_out(families[family], shares[family])}
    return [name for name in counts if name in kept]


def _summary(
    prediction: Prediction, drawn: Sequence[str], refused: int, listing: _Listing, predicted: Mapping[str, float]
) -> CostPrediction:
    """How good the prediction was: on its own sample, each left out in turn, and on what was measured after it."""
    import numpy as np

    costs = {n: listing.found.readings[n].cost_usd_per_1k.mean for n in drawn if _finite(listing.found.readings[n])}
    later = [abs(cost / predicted[name] - 1) for name, cost in costs.items()]
    return CostPrediction(
        fitted_on=len(prediction.errors),
        median_error=prediction.median_error,
        largest_error=prediction.largest_error,
        margin=prediction.margin,
        refused=refused,
        checked_on=len(later),
        checked_median_error=float(np.median(later)) if later else None,
        checked_largest_error=float(np.max(later)) if later else None,
    )


def _finite(reading: Reading | None) -> bool:
    return reading is not None and reading.cost_usd_per_1k.mean < 1e300


def _why_not(reading: Reading | None, config: SearchConfig) -> str:
    if reading is None:
        return "it could not be measured"
    if reading.capacity_rps == 0:
        return f"it misses {config.max_latency_ms:g} ms even for a request alone"
    cost = usd(reading.cost_usd_per_1k.mean)
    return f"it costs {cost} per 1,000 requests, above the budget of {usd(config.max_cost)}"
