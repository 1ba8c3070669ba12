"""From a search space to candidates: students within ratio and budget, each with a serving cost that was measured.

A long list is not measured as a whole. A few students that cover its sizes are measured first; a prediction fitted on
them refuses what is above the budget by more than its margin, and of what is left no more are measured than a search
of this many trials can make use of: the most promising ones of every cost first. A short list is measured from end to
end. Where costs come from a file, every student is read, measured or predicted. Under a time limit as many are measured
as a share of it has time for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.cost.predict import FEWEST, Prediction, fit, spread_out
from autokd.decide.economics import within
from autokd.formatting import usd
from autokd.machine import Stopwatch
from autokd.pipeline.edge_probes import affordable_first, nearest_beyond
from autokd.pipeline.read_in_time import NO_TIME, TIME_SHARE, ReadInTime
from autokd.pipeline.services import Parts, Prepared
from autokd.progress import Listener
from autokd.records import Arm, Candidate, CostModel, CostPrediction, LeftOut, Reading

if TYPE_CHECKING:
    from autokd.pipeline.cheaper_forms import Form
    from autokd.zoo.catalogue import Count

SAMPLE = 12  # students that a prediction is fitted on
SHORT = 2 * SAMPLE  # lists up to this length are measured as a whole
DOUBTFUL = 3  # refused students closest to the budget, measured to see whether the refusal was right
TRIALS = 24  # where their number is not known yet
STUDENTS_A_TRIAL = 3


@dataclass(frozen=True)
class Found:
    """What a space comes to for one teacher and budget."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    readings: dict[str, Reading]
    cost_model: CostModel  # with the runtime that serves
    edges: tuple[Candidate, ...]  # just beyond the range of ratios, where they are asked for
    prediction: CostPrediction | None  # None where every student was measured or priced by its parameters
    forms: tuple[Form, ...] = ()  # of the teacher, cheaper ones than was measured for all models


@dataclass(frozen=True)
class Listed:
    """Students within the ratio, with what is known of them before anything is measured."""

    counts: Mapping[str, Count]  # of all students of the space
    arms: Mapping[str, tuple[Arm, ...]]  # of those that may enter one
    teacher_parameters: int
    promises: Mapping[str, float] = field(default_factory=dict)  # of those that may enter an arm

    def candidate(self, name: str, reading: Reading, predicted: float | None = None) -> Candidate:
        """A measured student with all that is known of it; one beyond the range enters no arm."""
        count = self.counts[name]
        return Candidate(
            student=name,
            family=count.family,
            parameters=count.parameters,
            ratio=self.teacher_parameters / count.parameters,
            macs=count.macs,
            arms=self.arms.get(name, ()),
            reading=reading,
            predicted_usd_per_1k=predicted,
            promise=self.promises.get(name, 0.0),
        )

    def left_out(self, name: str, reason: str, reading: Reading | None = None) -> LeftOut:
        """A student that does not become a candidate, with its measured cost where there is one."""
        count = self.counts[name]
        return LeftOut(
            student=name,
            parameters=count.parameters,
            ratio=self.teacher_parameters / count.parameters,
            reason=reason,
            cost_usd_per_1k=reading.cost_usd_per_1k.mean if reading and can_serve(reading) else None,
        )


@dataclass(frozen=True)
class Measured:
    """Readings, and why the students without one have none."""

    readings: dict[str, Reading]
    predicted: Mapping[str, float] = field(default_factory=dict)  # dollars per 1,000 requests
    unmeasured: Mapping[str, str] = field(default_factory=dict)  # why, by student
    prediction: CostPrediction | None = None


def find_candidates(
    prepared: Prepared, config: SearchConfig, parts: Parts, model: CostModel, listener: Listener
) -> Found:
    """Students of the space within ratio and budget, and those left out with the reason."""
    from autokd.tune.prior_knowledge import promises
    from autokd.tune.space.files import read_space
    from autokd.weights.assign import without_weights
    from autokd.zoo.count import count_all
    from autokd.zoo.ratio_filter import sift

    watch = Stopwatch()
    names, size = read_space(config.space).names(), prepared.task.transform.image_size
    teacher, supply = prepared.teacher, parts.supply(config)
    counts, unknown = count_all(names, len(prepared.task.classes), size, config.cache_dir, listener)
    arms, outside = sift(counts, teacher.parameters, config.min_ratio, config.max_ratio, teacher.name)
    weightless = without_weights(arms, supply)
    arms = {name: entered for name, entered in arms.items() if name not in weightless}
    inside = {name: counts[name] for name in arms}
    promised = promises(inside, [name for name in arms if supply.publishes(name)])
    listed = Listed(counts, arms, teacher.parameters, promised)
    beyond = nearest_beyond(counts, arms, teacher.parameters, config, supply.lacks)
    named = [*arms, *(name for side in beyond.values() for name in side)]
    parameters = {teacher.name: teacher.parameters} | {name: counts[name].parameters for name in named}
    meter = parts.meter(prepared, parameters, config, model)
    stored = model.model == "params" or config.costs is not None
    seconds = None if stored or config.time_limit is None else TIME_SHARE * config.time_limit
    in_time = ReadInTime(meter, watch, seconds)
    with closing(meter):
        if stored or len(arms) <= SHORT:
            measured = Measured(in_time.read([*arms] if seconds is None else _by_promise(inside, promised), listener))
        else:
            measured = measure_some(inside, promised, config, in_time, listener)
    late = dict.fromkeys((name for name in in_time.late if name not in measured.readings), NO_TIME)
    measured = replace(measured, unmeasured={**measured.unmeasured, **late})
    candidates, expensive = by_budget(listed, measured, config)
    readings = measured.readings
    for side in beyond.values():
        if unread := [name for name in side if name not in readings]:
            readings = meter.read(unread, listener)
    edges = (affordable_first(side, readings, config.max_cost) for side in beyond.values())
    return Found(
        candidates=candidates,
        left_out=(
            *(LeftOut(student=n, parameters=None, ratio=None, reason=reason) for n, reason in unknown.items()),
            *outside,
            *(listed.left_out(name, reason) for name, reason in weightless.items()),
            *expensive,
        ),
        readings=readings,
        cost_model=meter.cost_model,
        edges=tuple(listed.candidate(edge, readings[edge]) for edge in edges if edge),
        prediction=measured.prediction,
        forms=parts.teacher_forms(prepared, readings[teacher.name], config, meter, listener),
    )


def by_budget(
    listed: Listed, measured: Measured, config: SearchConfig
) -> tuple[tuple[Candidate, ...], tuple[LeftOut, ...]]:
    """Candidates, and the students left out for their cost or because they were not measured."""
    candidates, left_out = [], []
    for name in (name for name in listed.arms if name not in measured.unmeasured):
        reading = measured.readings.get(name)
        if reading and fits(reading, config):
            candidates.append(listed.candidate(name, reading, measured.predicted.get(name)))
        else:
            left_out.append(listed.left_out(name, _why_not(reading, config), reading))
    left_out += [listed.left_out(name, reason) for name, reason in measured.unmeasured.items()]
    return tuple(candidates), tuple(left_out)


def fits(reading: Reading, config: SearchConfig) -> bool:
    """Whether a measured student is within the budget."""
    return within(reading.cost_usd_per_1k.mean, config.max_cost)


def _by_promise(counts: Mapping[str, Count], promised: Mapping[str, float]) -> list[str]:
    """The most promising of every size first."""
    from autokd.tune.prior_knowledge import Promising, most_promising_first

    return most_promising_first([Promising(name, promised[name], count.macs) for name, count in counts.items()])


def can_serve(reading: Reading) -> bool:
    """Whether a model can serve at all within the latency limit; its cost is infinite where it cannot."""
    return isfinite(reading.cost_usd_per_1k.mean)


# ---- a long list -----------------------------------------------------------------------------------------------


def measure_some(
    counts: Mapping[str, Count],
    promised: Mapping[str, float],
    config: SearchConfig,
    meter: ReadInTime,
    listener: Listener,
) -> Measured:
    """Measure a sample, refuse by its prediction, measure no more of the others than can be tried."""
    from autokd.tune.prior_knowledge import Promising, most_promising_first

    sample = spread_out(counts, SAMPLE)
    readings = meter.read(sample, listener)
    fitted_on = _serving(sample, readings)
    if len(fitted_on) < FEWEST:
        return Measured(meter.read([name for name in counts if name not in sample], listener))
    prediction, refused, readings = _refused(counts, fitted_on, readings, config, meter, listener)
    predicted = {name: prediction.cost(count) for name, count in counts.items()}
    for name, error in zip(fitted_on, prediction.errors, strict=False):  # those measured last were not fitted on
        predicted[name] = readings[name].cost_usd_per_1k.mean / (1 + error)
    left = [name for name in counts if name not in refused and name not in readings]
    fitting = sum(fits(readings[name], config) for name in counts if name in readings)
    room = STUDENTS_A_TRIAL * (config.trials or TRIALS) - fitting
    drawn = most_promising_first([Promising(name, promised[name], predicted[name]) for name in left])[: max(0, room)]
    readings = meter.read(drawn, listener)
    unmeasured = {
        name: f"it would cost about {usd(predicted[name])} per 1,000 requests (predicted), above the budget"
        for name in refused
    }
    undrawn = sorted(set(left) - set(drawn))
    share = f"not looked at: {len(drawn)} of {len(left)} were, the most promising of every cost first"
    return Measured(
        readings=readings,
        predicted=predicted,
        unmeasured=unmeasured | dict.fromkeys(undrawn, share),
        prediction=_summary(prediction, _serving(drawn, readings), len(refused), readings, predicted),
    )


def _serving(names: Sequence[str], readings: Mapping[str, Reading]) -> list[str]:
    """Those of the names that were measured and can serve."""
    return [name for name in names if name in readings and can_serve(readings[name])]


def _refused(
    counts: Mapping[str, Count],
    fitted_on: list[str],
    readings: dict[str, Reading],
    config: SearchConfig,
    meter: ReadInTime,
    listener: Listener,
) -> tuple[Prediction, list[str], dict[str, Reading]]:
    """The prediction, whom it refuses once the refused ones closest to the budget did not fit, and all readings."""
    while True:
        costs = [readings[name].cost_usd_per_1k.mean for name in fitted_on]
        prediction = fit([counts[name] for name in fitted_on], costs)
        refused = [n for n in counts if n not in readings and prediction.refuses(counts[n], config.max_cost)]
        doubtful = sorted(refused, key=lambda name: prediction.cost(counts[name]))[:DOUBTFUL]
        if not doubtful:
            return prediction, refused, readings
        readings = meter.read(doubtful, listener)
        fitted_on += _serving(doubtful, readings)
        if not any(name in readings and fits(readings[name], config) for name in doubtful):
            return prediction, [name for name in refused if name not in doubtful], readings


def _summary(
    prediction: Prediction,
    later: Sequence[str],
    refused: int,
    readings: Mapping[str, Reading],
    predicted: Mapping[str, float],
) -> CostPrediction:
    """How good the prediction was: on its own sample, each left out in turn, and on what was measured later."""
    import numpy as np

    errors = [abs(readings[name].cost_usd_per_1k.mean / predicted[name] - 1) for name in later]
    return CostPrediction(
        fitted_on=len(prediction.errors),
        median_error=prediction.median_error,
        largest_error=prediction.largest_error,
        margin=prediction.margin,
        refused=refused,
        checked_on=len(errors),
        checked_median_error=float(np.median(errors)) if errors else None,
        checked_largest_error=float(np.max(errors)) if errors else None,
    )


def _why_not(reading: Reading | None, config: SearchConfig) -> str:
    if reading is None and config.costs is not None:
        return f"it is not in {config.costs}, and its cost cannot be predicted from it"
    if reading is None:
        return "it could not be measured"
    if reading.capacity_rps == 0:
        return f"it misses {config.max_latency_ms:g} ms even for a request alone"
    cost = usd(reading.cost_usd_per_1k.mean)
    return f"it costs {cost} per 1,000 requests, above the budget of {usd(config.max_cost)}"
