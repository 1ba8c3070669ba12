"""Costs from a file of `autokd measure`: what it has is read, what it lacks is predicted and marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from fakes import Hearing
from made_costs import made_costs

from autokd.cost.dollars import cost_usd_per_1k
from autokd.cost.predict import FEWEST
from autokd.cost.stored_meter import StoredMeter
from autokd.records import CostModel, MeasuredCosts
from autokd.zoo.catalogue import Count

SIZES = {f"net {i}": Count(1_000_000 * i, 10_000_000 * i, 100_000 * i, 10 + i, "family") for i in range(1, 13)}


def true_seconds(count: Count) -> float:
    return 1e-10 * count.macs + 1e-5 * count.layers


def file_of(names: Sequence[str], **changes: object) -> MeasuredCosts:
    return made_costs({"teacher": 20.0, **{name: 1 / true_seconds(SIZES[name]) for name in names}}, **changes)


def sizes(names: Sequence[str], _: int) -> Mapping[str, Count]:
    return {name: SIZES[name] for name in names if name in SIZES}


def meter_of(costs: MeasuredCosts, model: CostModel | None = None, classes: int = 10) -> StoredMeter:
    return StoredMeter("teacher", costs, model or costs.cost_model, sizes, classes)


def test_what_the_file_has_is_read_at_the_price_of_the_search() -> None:
    costs = file_of(["net 1", "net 2"])
    dear = costs.cost_model.model_copy(update={"price_usd_per_hour": 2.4, "utilization": 0.6})
    readings = meter_of(costs, dear).read(["net 1"], Hearing())
    assert list(readings) == ["teacher", "net 1"]
    for name, reading in readings.items():
        assert reading.capacity_rps == costs.readings[name].capacity_rps
        assert reading.cost_usd_per_1k.mean == pytest.approx(cost_usd_per_1k(reading.capacity_rps or 0, dear))
        assert not reading.predicted


def test_a_teacher_with_a_price_of_its_own_is_priced_at_it() -> None:
    costs = file_of(["net 1"])
    own = costs.cost_model.model_copy(update={"price_usd_per_hour": 12.0})
    model = costs.cost_model.model_copy(update={"teacher_price": own.for_teacher})
    readings = meter_of(costs, model).read(["net 1"], Hearing())
    assert readings["teacher"].cost_usd_per_1k.mean == pytest.approx(
        10 * costs.readings["teacher"].cost_usd_per_1k.mean
    )
    assert readings["net 1"].cost_usd_per_1k == costs.readings["net 1"].cost_usd_per_1k


def test_speed_does_not_depend_on_the_tag_of_the_weights() -> None:
    costs = made_costs({"teacher": 20.0, "resnet18.a1_in1k@width=0.5": 100.0})
    readings = meter_of(costs).read(["resnet18@width=0.5"], Hearing())
    assert readings["resnet18@width=0.5"].model == "resnet18@width=0.5"
    assert costs.reading("resnet18") is None
    assert costs.reading("resnet18.tv_in1k@width=0.5") is not None


def test_a_student_that_the_file_lacks_is_predicted_with_an_interval_and_marked() -> None:
    known = [f"net {i}" for i in (1, 2, 3, 4, 6, 7, 8, 9, 12)]
    heard = Hearing()
    reading = meter_of(file_of(known)).read([*known, "net 5"], heard)["net 5"]
    assert reading.predicted
    assert not reading.noisy
    assert (reading.latency_ms, reading.rounds, reading.batch_size) == (None, 0, None)
    assert reading.capacity_rps == pytest.approx(1 / true_seconds(SIZES["net 5"]), rel=0.01)
    cost = reading.cost_usd_per_1k
    assert cost.low <= cost.mean <= cost.high
    assert reading.alone_seconds is not None
    assert any("1 student (net 5) is not in costs; their costs are predicted from 9" in note for note in heard.notes)


def test_what_the_prediction_was_off_by_is_the_interval() -> None:
    known = [f"net {i}" for i in range(1, 10)]
    costs = file_of(known)
    slow = costs.readings["net 4"].capacity_interval
    assert slow is not None
    half = costs.readings["net 4"].model_copy(update={"capacity_rps": slow.mean / 2})
    odd = costs.model_copy(update={"readings": {**costs.readings, "net 4": half}})
    cost = meter_of(odd).read(["net 11"], Hearing())["net 11"].cost_usd_per_1k
    assert cost.high / cost.mean == pytest.approx(cost.mean / cost.low)
    assert cost.high / cost.mean > 2


def test_too_few_to_predict_from_leaves_students_out_with_the_reason() -> None:
    heard = Hearing()
    readings = meter_of(file_of(["net 1", "net 2"])).read(["net 1", "net 5"], heard)
    assert "net 5" not in readings
    assert any(f"left out: a prediction needs {FEWEST} measured students" in note for note in heard.notes)


def test_under_a_latency_limit_nothing_is_predicted() -> None:
    heard = Hearing()
    known = [f"net {i}" for i in range(1, 12)]
    assert "net 12" not in meter_of(file_of(known, max_latency_ms=20.0)).read(["net 12"], heard)
    assert any("a latency is measured, not predicted" in note for note in heard.notes)


def test_another_number_of_classes_is_said_once() -> None:
    heard = Hearing()
    meter = meter_of(file_of(["net 1"]), classes=100)
    for _ in range(2):
        meter.read(["net 1"], heard)
    assert heard.notes == [
        "The models of costs have 10 classes and the task has 100; their costs differ by that of the head."
    ]
