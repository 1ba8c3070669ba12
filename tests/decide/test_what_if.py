"""The same evidence under other prices, loads and volumes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_evidence import direct, distilled, left_out, made_cost_model, made_evidence, twin

from autokd.config import SearchConfig
from autokd.cost.dollars import capacity_for, cost_usd_per_1k
from autokd.cost.repricing import changed_model
from autokd.decide import Evidence, decide
from autokd.decide.what_if import screening_under, under
from autokd.errors import ConfigError
from autokd.records import Policy, ScreenedStudent, Screening
from autokd.runs.store import Costs

STUDENTS = (distilled(accuracy=0.94), direct(accuracy=0.925), twin(accuracy=0.92))


def evidence(**more: Any) -> Evidence:
    made = made_evidence(*STUDENTS, budget=0.001, nearest=(left_out("dear_net", 0.002),), **more)
    return replace(made, readings={"big_net": made.teacher_reading})


def test_twice_the_price_is_twice_every_cost_and_the_same_budget_in_machines() -> None:
    made = evidence()
    dear = under(made, changed_model(made.cost_model, {"price_per_hour": 2.4}))
    assert dear.teacher_reading.cost_usd_per_1k.mean == pytest.approx(2 * made.teacher_reading.cost_usd_per_1k.mean)
    assert [f.reading.cost_usd_per_1k.mean for f in dear.finalists] == pytest.approx(
        [2 * f.reading.cost_usd_per_1k.mean for f in made.finalists]
    )
    assert dear.budget == pytest.approx(0.002)
    assert dear.nearest[0].cost_usd_per_1k == pytest.approx(0.004)
    assert dear.cost_model.price_origin == "given"


def test_half_the_utilization_is_twice_the_cost() -> None:
    made = evidence()
    idle = under(made, changed_model(made.cost_model, {"utilization": 0.15}))
    assert idle.finalists[0].reading.cost_usd_per_1k.mean == pytest.approx(
        2 * made.finalists[0].reading.cost_usd_per_1k.mean
    )


def test_dearer_training_is_dearer_once_and_serves_alike() -> None:
    made = evidence(usd=2.0)
    dear = under(made, changed_model(made.cost_model, {"train_price_per_hour": 3.6}))
    assert dear.search.usd == pytest.approx(6.0)
    assert dear.teacher_reading == made.teacher_reading


def test_at_a_volume_that_one_replica_serves_nothing_is_saved() -> None:
    made = evidence()
    given = {"requests_per_month": 1e5}
    small = under(made, changed_model(made.cost_model, given))
    readings = [small.teacher_reading, *(finalist.reading for finalist in small.finalists)]
    assert [r.cost_usd_per_1k.mean for r in readings] == pytest.approx([1.2 * 730 / 100] * len(readings))
    decision = decide(small, Policy(max_cost=10.0, **given))
    assert decision.verdict == "keep_teacher"


def test_costs_that_were_predicted_are_dropped_where_a_fleet_would_round_them() -> None:
    model = made_cost_model(requests_per_month=1e9)
    made = evidence(model=model)
    assert under(made, model.model_copy(update={"price_usd_per_hour": 2.4})).nearest == ()


@settings(max_examples=60, deadline=None)
@given(st.floats(1e-6, 1e-1), st.sampled_from([None, 1e5, 1e7, 1e9]))
def test_the_capacity_for_a_cost_is_the_lowest_that_keeps_to_it(cost: float, volume: float | None) -> None:
    model = made_cost_model(requests_per_month=volume)
    capacity = capacity_for(cost, model)
    if math.isinf(capacity):
        assert cost_usd_per_1k(1e12, model) > cost
        return
    assert cost_usd_per_1k(capacity * (1 + 1e-9), model) <= cost * (1 + 1e-6)
    assert cost_usd_per_1k(capacity * 0.99, model) > cost or volume is None


def test_hardware_prices_mean_nothing_where_parameters_are_priced() -> None:
    with pytest.raises(ConfigError, match="price_per_hour changes nothing here"):
        changed_model(made_cost_model(model="params"), {"price_per_hour": 1.0})


def test_the_price_of_parameters_can_be_given_where_they_are_priced() -> None:
    model = changed_model(made_cost_model(model="params"), {"price_per_billion": 0.2})
    assert model.usd_per_1k_per_billion == 0.2
    with pytest.raises(ConfigError, match="price_per_billion changes nothing here"):
        changed_model(made_cost_model(), {"price_per_billion": 0.2})


@pytest.mark.parametrize("name", ["min_replicas", "peak_to_mean", "target_utilization", "horizon_months"])
def test_what_counts_with_a_volume_is_refused_without_one(name: str) -> None:
    model = made_cost_model()
    with pytest.raises(ConfigError, match=rf"{name} counts only with a volume, .* give requests_per_month too"):
        changed_model(model, {name: 1})
    changed_model(model, {name: 1, "requests_per_month": 1e6})
    changed_model(made_cost_model(requests_per_month=1e6), {name: 1})


def test_utilization_is_refused_with_a_volume() -> None:
    for model, volume in (
        (made_cost_model(requests_per_month=1e6), {}),
        (made_cost_model(), {"requests_per_month": 1e6}),
    ):
        with pytest.raises(ConfigError, match=r"utilization counts only without a volume, .* target_utilization"):
            changed_model(model, {"utilization": 0.5, **volume})
    assert changed_model(made_cost_model(), {"utilization": 0.5}).utilization == 0.5


def test_a_given_price_replaces_the_instance() -> None:
    settings = SearchConfig.of(teacher="t", max_cost=1.0, instance="c7i.large")
    assert settings.changed({"price_per_hour": 1.0}).instance is None
    with pytest.raises(ConfigError, match="exclude each other"):
        settings.changed({"price_per_hour": 1.0, "instance": "c7i.large"})


def test_another_engine_leaves_the_clusters_address_behind() -> None:
    settings = SearchConfig.of(teacher="t", max_cost=1.0, engine="ray", ray_address="ray://host:1")
    assert settings.changed({"engine": "local"}).ray_address is None
    assert settings.changed({"workers": 2}).ray_address == "ray://host:1"


def test_economics_add_up() -> None:
    policy = Policy(max_cost=0.01, requests_per_month=1e8, adoption_usd=10.0)
    decision = decide(evidence(teacher_spread=0.1, usd=2.0), policy)
    money = decision.economics
    assert money is not None
    assert money.one_time_usd == {"search": 2.0, "adoption": 10.0}
    saving = money.saving_usd_per_1k
    assert saving.mean == pytest.approx(0.0025 - 0.0003)
    assert (saving.low, saving.high) == pytest.approx((0.00225 - 0.0003, 0.00275 - 0.0003))
    assert money.saving_usd_per_month is not None
    assert money.saving_usd_per_month.mean == pytest.approx(220.0)
    assert money.break_even_requests.mean == pytest.approx(12 / saving.mean * 1000)
    assert money.break_even_requests.mean == pytest.approx(decision.break_even_requests)
    assert money.break_even_months is not None
    assert money.break_even_months.high == pytest.approx(12 / saving.low * 1000 / 1e8)


def test_the_map_agrees_with_asking_each_of_its_conditions() -> None:
    made = evidence()
    policy = Policy(max_cost=0.01)
    found = decide(made, policy).verdict_map
    assert found is not None
    assert len({verdict for row in found.verdicts for verdict in row}) > 1
    for i, j in ((0, 0), (2, 5), (6, 9), (8, 11)):
        given = {"requests_per_month": found.requests_per_month[j], "target_utilization": found.utilization[i]}
        asked = policy.model_copy(update={"requests_per_month": given["requests_per_month"]})
        assert decide(under(made, changed_model(made.cost_model, given)), asked).verdict == found.verdicts[i][j]


def test_there_is_no_map_where_cost_follows_parameters_alone() -> None:
    made = evidence()
    by_size = replace(made, cost_model=made_cost_model(model="params"))
    assert decide(by_size, Policy(max_cost=0.01)).verdict_map is None


RATE = {"price_per_second": 1.2 / 3600 * 4}


def test_billed_by_use_a_request_costs_the_seconds_that_it_takes_alone() -> None:
    made = evidence()
    billed = under(made, changed_model(made.cost_model, {**RATE, "billing_increment_ms": 0.001}))
    alone = made.teacher_reading.alone_seconds
    assert alone is not None
    assert billed.teacher_reading.cost_usd_per_1k.mean == pytest.approx(
        1000 * alone.mean * RATE["price_per_second"], rel=1e-3
    )
    assert billed.budget == pytest.approx(0.001 * 4 * 0.3, rel=1e-3)  # at the teacher's ratio of the two costs
    assert billed.nearest[0].cost_usd_per_1k == pytest.approx(0.002 * 4 * 0.3, rel=1e-3)
    back = under(billed, changed_model(billed.cost_model, {"price_per_hour": 1.2}))
    assert back.teacher_reading.cost_usd_per_1k.mean == pytest.approx(made.teacher_reading.cost_usd_per_1k.mean)
    assert back.budget == pytest.approx(0.001, rel=1e-2)


@pytest.mark.parametrize("volume", [{}, {"requests_per_month": 1e5}, {"requests_per_month": 1e9}])
def test_billed_by_use_the_cost_of_a_request_does_not_depend_on_the_volume(volume: dict[str, float]) -> None:
    made = evidence()
    billed = under(made, changed_model(made.cost_model, {**RATE, **volume}))
    decision = decide(billed, Policy(max_cost=10.0, **volume))
    unknown = decide(under(made, changed_model(made.cost_model, RATE)), Policy(max_cost=10.0))
    assert decision.options.teacher.cost_usd_per_1k == unknown.options.teacher.cost_usd_per_1k
    assert (decision.options.teacher.monthly_usd is None) is (not volume)
    assert decision.verdict_map is None
    assert not any("utilization" in change for change in decision.would_change)
    assert "utilization" not in (decision.condition or "")


def test_billed_by_use_the_price_that_flips_the_verdict_is_that_of_a_second() -> None:
    made = evidence()
    decision = decide(under(made, changed_model(made.cost_model, RATE)), Policy(max_cost=0.001))
    assert any("a second of serving instead of $0.00133" in change for change in decision.would_change)


def test_the_teacher_is_priced_on_its_own_machine() -> None:
    made = evidence()
    apart = under(made, changed_model(made.cost_model, {"teacher_price_per_hour": 0.12}))
    assert apart.teacher_reading.cost_usd_per_1k.mean == pytest.approx(made.teacher_reading.cost_usd_per_1k.mean / 10)
    assert [f.reading.cost_usd_per_1k.mean for f in apart.finalists] == pytest.approx(
        [f.reading.cost_usd_per_1k.mean for f in made.finalists]
    )
    assert apart.readings["big_net"] == apart.teacher_reading
    assert apart.budget == pytest.approx(made.budget)
    decision = decide(apart, Policy(max_cost=0.001))
    assert decision.verdict == "keep_teacher", "the student costs more than the teacher does now"
    dials = " ".join(decision.would_change)
    assert "an hour of serving a student instead of $1.20" in dials
    assert "an hour of serving the teacher instead of $0.12" in dials
    assert decision.options.teacher.cost_usd_per_1k == pytest.approx(0.00025)


def test_a_screening_follows_the_price_as_everything_else_does() -> None:
    made = made_evidence(direct())
    student = ScreenedStudent(
        number=0, student="small_net", parameters=5, ratio=12.0, macs=5, cost_usd_per_1k=0.0003, arms=("direct",),
        recipe=made.finalists[0].recipe, state="stopped", trainings=(),
    )  # fmt: skip
    unknown = student.model_copy(update={"student": "never_measured"})
    screening = Screening(students=(student, unknown), rungs=())
    costs = Costs(cost_model=made.cost_model, readings={"small_net": made.finalists[0].reading})
    twice = changed_model(made.cost_model, {"price_per_hour": 2.4})
    found = screening_under(screening, costs, twice)
    assert [s.cost_usd_per_1k for s in found.students] == pytest.approx([0.0006, 0.0003])
    assert screening_under(screening, costs, made.cost_model) is screening
