"""What would change the verdict: every flip does what its sentence says, and what fixes a `none` fixes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, left_out, made_cost_model, made_evidence, twin

from autokd.decide import decide
from autokd.decide.comparisons import Comparison, compare
from autokd.decide.policy import judge
from autokd.decide.sensitivity import Change, changes, nearest_changes
from autokd.records import Interval, Policy, Verdict

BETTER = (distilled(accuracy=0.94), direct(accuracy=0.925, cost=0.0004), twin(accuracy=0.92))
DEAR = tuple(replace(made, cost=0.002) for made in BETTER)
POOR = (distilled(accuracy=0.89), direct(accuracy=0.88), twin(accuracy=0.87))

BY_PARAMETERS = {"capacity_rps": None, "capacity_interval": None}


def found(case: Comparison, policy: Policy) -> dict[str, list[Change]]:
    by_dial: dict[str, list[Change]] = {}
    for change in changes(judge(case, policy)):
        by_dial.setdefault(change.dial, []).append(change)
    return by_dial


def asked_again(case: Comparison, policy: Policy, change: Change, value: float) -> Verdict:
    """The verdict after turning one dial, by the plainest means."""
    model = case.evidence.cost_model
    if change.dial in ("budget", "min_retention", "max_latency_ms"):
        field = change.dial.replace("budget", "max_cost")
        return judge(case, policy.model_copy(update={field: value})).verdict
    if change.dial == "volume":
        known = policy.model_copy(update={"requests_per_month": value})
        fleet = policy.requests_per_month is None or model.requests_per_month is not None
        billed = case.priced(model.model_copy(update={"requests_per_month": value})) if fleet else case
        return judge(billed, known).verdict
    fields = {"price": "price_usd_per_hour", "utilization": "utilization"}
    if model.requests_per_month is not None:
        fields["utilization"] = "target_utilization"
    return judge(case.priced(model.model_copy(update={fields[change.dial]: value})), policy).verdict


def stated(change: Change) -> list[float]:
    """The one or two numbers of the region, as somebody would give them back."""
    match = re.search(r"(?:of|With) \$?([\d.,]*\d)( M)?(?: ms| %)?(?: to \$?([\d.,]*\d)( M)?)?", change.sentence)
    assert match
    share = 0.01 if change.dial in ("min_retention", "utilization") else 1
    pairs = [(match[1], match[2]), *([(match[3], match[4])] if match[3] else [])]
    return [float(number.replace(",", "")) * share * (1e6 if million else 1) for number, million in pairs]


def within(change: Change, count: int = 100) -> Iterator[float]:
    """Values from one end of a region to the other; volumes on and on where it has no end."""
    far = change.region.far
    if far is None and change.dial == "volume":
        far = 1.0 if "or fewer" in change.sentence else 1e11
    if far is not None:
        yield from np.geomspace(change.region.near, far, count)


@pytest.mark.parametrize("made", [BETTER, DEAR, POOR, ()], ids=["better", "dear", "poor", "nothing"])
@pytest.mark.parametrize(
    "terms",
    [
        {"max_cost": 0.001},
        {"max_cost": 0.01},
        {"max_cost": 0.01, "requests_per_month": 3e6},
        {"max_cost": 1e-4},
        {"max_cost": 0.01, "max_latency_ms": 3.0},
        {"max_cost": 0.003, "prefer": "savings"},
    ],
    ids=str,
)
@pytest.mark.parametrize("fleet", [False, True])
def test_every_change_does_what_it_says(made: tuple[Made, ...], terms: dict[str, Any], fleet: bool) -> None:
    policy = Policy(**terms)
    volume = policy.requests_per_month if fleet else None
    case = compare(made_evidence(*made, images=2000, model=made_cost_model(requests_per_month=volume)))
    today = judge(case, policy).verdict
    for listed in found(case, policy).values():
        for change in listed:
            assert asked_again(case, policy, change, change.region.near) == change.region.verdict
            assert change.region.verdict != today
            ends = {change.region.near, change.region.far or change.region.near}
            assert stated(change) == pytest.approx(sorted(ends), rel=1e-12)
            for value in within(change):
                assert asked_again(case, policy, change, value) == change.region.verdict, change.sentence


def test_the_edges_of_the_budget_are_the_costs() -> None:
    sentences = decide(made_evidence(*BETTER), Policy(max_cost=0.001)).would_change
    assert "With a budget of $0.000299 or less per 1,000 requests: nothing meets the limits." in sentences
    case = compare(made_evidence(*DEAR))
    change, beyond = found(case, Policy(max_cost=0.001))["budget"]
    assert (beyond.region.near, beyond.region.verdict) == (pytest.approx(0.0025), "keep_teacher")
    assert change.region.near == pytest.approx(0.002)
    assert change.region.verdict == "distill"
    assert change.region.far == pytest.approx(0.0025, rel=0.01)


def test_price_and_utilization_turn_against_each_other() -> None:
    case = compare(made_evidence(*BETTER))
    dials = found(case, Policy(max_cost=0.001))
    (price,), (utilization,) = dials["price"], dials["utilization"]
    assert price.region.near == pytest.approx(1.2 / 0.3, rel=0.01)
    assert utilization.region.near == pytest.approx(0.3 * 0.3, rel=0.01)
    assert "instead of 30 %" in utilization.sentence


def test_a_price_by_parameters_has_no_utilization() -> None:
    evidence = made_evidence(*BETTER, model=made_cost_model(model="params"))
    priced = replace(
        evidence,
        teacher_reading=evidence.teacher_reading.model_copy(update=BY_PARAMETERS),
        finalists=tuple(
            f.model_copy(update={"reading": f.reading.model_copy(update=BY_PARAMETERS)}) for f in evidence.finalists
        ),
    )
    dials = found(compare(priced), Policy(max_cost=0.001))
    assert "utilization" not in dials
    assert dials["price"][0].region.near == pytest.approx(0.1 / 0.3, rel=0.01)
    assert "billion parameters" in dials["price"][0].sentence


def test_the_volume_at_which_a_student_pays() -> None:
    case = compare(made_evidence(*BETTER, usd=2.2))  # 2.2 dollars, 0.0022 saved on 1,000 requests
    (down,) = found(case, Policy(max_cost=0.01, requests_per_month=3e6))["volume"]
    assert down.region.near == pytest.approx(1e6 / 12, rel=0.01)
    assert down.region.verdict == "keep_teacher"
    (up,) = found(case, Policy(max_cost=0.01, requests_per_month=1e4))["volume"]
    assert up.region.near == pytest.approx(1e6 / 12, rel=0.01)
    assert up.sentence == "With 83,400 or more requests a month: distill a smaller model."


def test_a_volume_that_was_not_given_is_billed_by_whole_replicas() -> None:
    case = compare(made_evidence(*BETTER))
    listed = found(case, Policy(max_cost=0.01))["volume"]
    assert any(change.region.verdict == "keep_teacher" for change in listed)
    assert all("whole replicas" in change.sentence for change in listed)


def test_all_changes_along_the_volume_are_among_the_nearest() -> None:
    judged = judge(compare(made_evidence(*BETTER)), Policy(max_cost=0.01))
    every = changes(judged)
    nearest = nearest_changes(judged, every)
    along = [change for change in every if change.dial == "volume"]
    assert len(along) > 1 and set(along) <= set(nearest)
    assert len({change.dial for change in nearest if change.dial != "volume"}) <= 3
    assert len(set(nearest)) == len(nearest)


def test_a_volume_at_which_one_more_replica_tips_the_verdict_is_no_part_of_a_region() -> None:
    """A student at half of the teacher's cost, billed by whole replicas: a new one of it alone makes it too dear."""
    made = tuple(replace(m, cost=0.00124) for m in BETTER)
    case = compare(made_evidence(*made, usd=2e5))
    policy = Policy(max_cost=0.0012 * 2.2)
    listed = found(case, policy)["volume"]
    assert len(listed) > 1
    for change in listed:
        for value in within(change, 3000):
            assert asked_again(case, policy, change, value) == change.region.verdict, change.sentence


def test_with_a_volume_it_is_the_target_utilization_that_is_named() -> None:
    model = made_cost_model(requests_per_month=3e9)
    case = compare(made_evidence(*BETTER, model=model))
    listed = found(case, Policy(max_cost=0.001, requests_per_month=3e9))["utilization"]
    assert listed
    for change in listed:
        assert change.sentence.startswith("At a target utilization of ")
        assert "instead of 70 %" in change.sentence


def test_what_cannot_change_the_verdict_is_not_listed() -> None:
    case = compare(made_evidence())
    assert set(found(case, Policy(max_cost=0.01))) <= {"budget", "price", "utilization", "volume"}


def test_a_larger_budget_than_the_search_had_is_marked() -> None:
    sentences = decide(made_evidence(*DEAR, budget=0.001), Policy(max_cost=0.001)).would_change
    assert any("tried no student above $0.001" in sentence for sentence in sentences)


# ---- nothing meets the budget ----------------------------------------------------------------------------------


def test_the_nearest_miss_and_its_fix_by_budget() -> None:
    evidence = made_evidence(*BETTER)
    decision = decide(evidence, Policy(max_cost=1e-4))
    assert "finalist 1 (small_net) comes nearest" in decision.summary
    assert decision.summary.endswith("or more per 1,000 requests the verdict is to distill a smaller model.")
    assert "with a budget of $0.0003" in decision.summary
    assert decide(evidence, Policy(max_cost=0.0003)).verdict == "distill"


def test_the_nearest_miss_and_its_fix_by_retention() -> None:
    evidence = made_evidence(*POOR)
    decision = decide(evidence, Policy(max_cost=0.001))
    assert decision.summary.startswith("Nothing within the budget of $0.001 per 1,000 requests is shown to keep 95 %")
    assert "with a required retention of 93.1 % or less the verdict is to distill a smaller model" in decision.summary
    assert decide(evidence, Policy(max_cost=0.001, min_retention=0.931)).verdict == "distill"


def test_nothing_names_the_limits_that_were_asked_for() -> None:
    asked = Policy(max_cost=0.001, max_negative_flips=0.0001, max_latency_ms=100.0)
    summary = decide(made_evidence(*BETTER), asked).summary
    assert summary.startswith(
        "Nothing within the budget of $0.001 per 1,000 requests is shown to answer within 100 ms (p95), keep 95 % of "
        "the teacher's accuracy and get at most 0.01 % of the test images wrong that the teacher gets right"
    )


def test_a_teacher_that_cannot_be_served_has_no_saving() -> None:
    evidence = made_evidence(*BETTER)
    nothing = Interval(mean=inf, low=inf, high=inf)
    reading = evidence.teacher_reading.model_copy(
        update={"capacity_rps": 0.0, "capacity_interval": Interval(mean=0, low=0, high=0), "cost_usd_per_1k": nothing}
    )
    decision = decide(replace(evidence, teacher_reading=reading), Policy(max_cost=0.001))
    assert decision.verdict == "distill"
    assert decision.break_even_requests is None
    assert decision.economics is not None
    assert decision.economics.saving_usd_per_1k is None
    said = " ".join((decision.summary, *decision.reasons))
    assert "cannot be served here" in said
    assert not any(word in said for word in ("inf ", "unlimited", "after 0 requests"))


def test_the_nearest_miss_that_takes_two_changes() -> None:
    made = tuple(replace(m, cost=0.002) for m in POOR)
    evidence = replace(made_evidence(*made, teacher_p95=50.0), teacher_reading=made_evidence().teacher_reading)
    policy = Policy(max_cost=0.001, max_latency_ms=10.0)
    decision = decide(evidence, policy)
    assert decision.verdict == "none"
    fix = decision.reasons[-1]
    assert "a budget of $0.002 per 1,000 requests and a required retention of" in fix
    kept = float(fix.split("retention of ")[1].split(" %")[0]) / 100
    fixed = policy.model_copy(update={"max_cost": 0.002, "min_retention": kept})
    assert decide(evidence, fixed).verdict != "none"


def test_the_teacher_can_come_nearest() -> None:
    decision = decide(made_evidence(trials=0), Policy(max_cost=0.002))
    assert "the teacher big_net comes nearest" in decision.summary
    assert "with a budget of $0.0025 or more" in decision.summary
    assert decide(made_evidence(trials=0), Policy(max_cost=0.0025)).verdict == "keep_teacher"


def test_a_student_that_was_not_trained_can_come_nearest() -> None:
    nearest = (left_out("tiny_net", 0.00015), left_out("unknown_net", None), left_out("dear_net", 0.9))
    decision = decide(made_evidence(nearest=nearest, trials=0), Policy(max_cost=1e-4))
    assert "tiny_net comes nearest" in decision.summary
    assert "a new search with a budget of $0.00015 per 1,000 requests could try tiny_net" in decision.summary


def test_a_latency_that_was_not_measured_is_named() -> None:
    made = tuple(replace(m, p95=None) for m in BETTER)
    decision = decide(made_evidence(*made), Policy(max_cost=0.001, max_latency_ms=5))
    assert decision.verdict == "none"
    assert any("is not shown to answer within 5 ms (p95)" in reason for reason in decision.reasons)
