"""Which students of a long list are measured, which are refused unmeasured, and what becomes of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from fakes import FakeParts

from autokd.config import SearchConfig
from autokd.pipeline.candidates import SAMPLE, Found, find_candidates
from autokd.pipeline.read_in_time import FEW, NO_TIME
from autokd.progress import Listener, Silent
from autokd.records import CostModel, Interval, Reading
from autokd.testing.fake_meter import FakeMeter
from autokd.zoo.catalogue import Count

TEACHER = 60_000_000


def made_counts(count: int, seed: int = 0) -> dict[str, Count]:
    generator = np.random.default_rng(seed)
    parameters = TEACHER / generator.uniform(5.1, 19.9, count)
    macs = 10 ** generator.uniform(6, 9, count)
    layers = generator.integers(20, 200, count)
    return {
        f"student {i:03}": Count(int(p), int(m), int(m / 30), int(n), f"family {i % 17}")
        for i, (p, m, n) in enumerate(zip(parameters, macs, layers, strict=True))
    }


def true_cost(count: Count) -> float:
    return 1e-11 * count.macs + 1e-6 * count.layers


def made_reading(name: str, cost: float) -> Reading:
    return Reading(
        model=name,
        capacity_rps=1.0,
        latency_ms=None,
        cost_usd_per_1k=Interval(mean=cost, low=cost, high=cost),
        noisy=False,
        batch_size=1,
        rounds=1,
    )


@dataclass
class FormulaMeter(FakeMeter):
    """Costs by a formula of MACs and layers, some of which the prediction must not know."""

    counts: Mapping[str, Count]
    surprises: Mapping[str, float] = field(default_factory=dict)  # factor on the formula
    unable: tuple[str, ...] = ()
    asked: list[list[str]] = field(default_factory=list)
    told: dict[str, Reading] = field(default_factory=dict)

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        self.asked.append(list(names))
        for name in names:
            if name not in self.unable:
                self.told[name] = made_reading(name, true_cost(self.counts[name]) * self.surprises.get(name, 1.0))
        return {"resnet152": made_reading("resnet152", 1.0), **self.told}


@dataclass(frozen=True)
class MeasuringParts(FakeParts):
    made: FormulaMeter | None = None

    def meter(self, *_: object) -> FakeMeter:
        assert self.made is not None
        return self.made


def found(
    monkeypatch: pytest.MonkeyPatch,
    meter: FormulaMeter,
    max_cost: float,
    trials: int = 24,
    cost_model: str = "measured",
    probe_edges: bool = False,
    time_limit: str | None = None,
) -> Found:
    names = list(meter.counts)
    monkeypatch.setattr("autokd.tune.space.files.read_space", lambda _: SimpleNamespace(names=lambda: names))
    monkeypatch.setattr("autokd.zoo.count.count_all", lambda *_: (meter.counts, {}))
    config = SearchConfig.of(
        teacher="resnet152",
        max_cost=max_cost,
        trials=trials,
        cost_model=cost_model,
        probe_edges=probe_edges,
        time_limit=time_limit,
    )
    parts = MeasuringParts(made=meter)
    prepared = parts.prepare(config, Silent())
    teacher = prepared.teacher.model_copy(update={"name": "resnet152", "parameters": TEACHER})
    model: CostModel = parts.cost_model(config, 32).model_copy(update={"model": cost_model})
    meter.cost_model = model
    return find_candidates(
        SimpleNamespace(task=prepared.task, teacher=teacher),
        config,
        parts,
        model,
        Silent(),  # type: ignore[arg-type]
    )


def names_of(result: Found) -> set[str]:
    return {candidate.student for candidate in result.candidates}


def test_a_short_list_is_measured_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = FormulaMeter(made_counts(20))
    result = found(monkeypatch, meter, max_cost=1.0)
    assert meter.asked == [list(meter.counts)]
    assert names_of(result) == set(meter.counts)
    assert result.prediction is None


@pytest.mark.parametrize("count", [20, 300])
def test_without_time_a_few_are_measured_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    meter = FormulaMeter(made_counts(count))
    monkeypatch.setattr("autokd.pipeline.candidates.TIME_SHARE", 1e-9)
    result = found(monkeypatch, meter, max_cost=1.0, time_limit="30m")
    assert len(result.candidates) == len(meter.told) == FEW
    reasons = Counter(entry.reason for entry in result.left_out)
    assert reasons[NO_TIME] >= (20 - FEW if count == 20 else SAMPLE - FEW)
    assert "it could not be measured" not in reasons


def test_with_time_a_limit_leaves_no_student_out(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = FormulaMeter(made_counts(20))
    result = found(monkeypatch, meter, max_cost=1.0, time_limit="30m")
    assert names_of(result) == set(meter.counts)
    assert [len(names) for names in meter.asked] == [FEW] * 5


def test_the_dear_ones_of_a_long_list_are_refused_unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = FormulaMeter(made_counts(200))
    budget = float(np.quantile([true_cost(c) for c in meter.counts.values()], 0.2))
    result = found(monkeypatch, meter, budget, trials=200)
    fitting = {name for name, count in meter.counts.items() if true_cost(count) <= budget}
    assert names_of(result) == fitting
    assert result.prediction is not None
    assert result.prediction.refused > 100
    assert len(meter.told) < 80
    assert set(meter.counts) == fitting | {entry.student for entry in result.left_out if "budget" in entry.reason}
    for candidate in result.candidates:
        assert candidate.predicted_usd_per_1k == pytest.approx(true_cost(meter.counts[candidate.student]), rel=1e-6)


def test_refusals_nearest_to_the_budget_are_measured_and_mend_a_wrong_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = made_counts(200)
    budget = float(np.quantile([true_cost(c) for c in counts.values()], 0.2))
    sampled = FormulaMeter(counts)
    found(monkeypatch, sampled, budget)
    dear = [n for n in sorted(counts, key=lambda n: true_cost(counts[n])) if true_cost(counts[n]) > budget]
    surprise = next(name for name in dear if name not in sampled.asked[0])  # first in line to be looked at
    meter = FormulaMeter(counts, surprises={surprise: 0.5})
    result = found(monkeypatch, meter, budget, trials=200)
    assert surprise in names_of(result)


def test_no_more_are_measured_than_a_search_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = FormulaMeter(made_counts(300))
    result = found(monkeypatch, meter, max_cost=1.0, trials=10)
    assert len(result.candidates) == len(meter.told) == 30
    reasons = [entry.reason for entry in result.left_out]
    assert len(reasons) == 270
    assert {*reasons} == {"not looked at: 18 of 288 were, the most promising of every cost first"}
    assert result.prediction is not None
    assert result.prediction.checked_on == 30 - SAMPLE
    assert result.prediction.checked_largest_error == pytest.approx(0, abs=1e-6)


def test_students_that_cannot_be_measured_are_left_out_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = made_counts(40)
    meter = FormulaMeter(counts, unable=tuple(list(counts)[:30]))
    result = found(monkeypatch, meter, max_cost=1.0)
    assert names_of(result) == set(list(counts)[30:])
    assert {entry.reason for entry in result.left_out} == {"it could not be measured"}


def test_priced_by_parameters_nothing_is_left_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = FormulaMeter(made_counts(200))
    result = found(monkeypatch, meter, max_cost=1.0, cost_model="params")
    assert len(result.candidates) == 200
    assert result.prediction is None
