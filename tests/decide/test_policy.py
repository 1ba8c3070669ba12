"""The policy: a table of cases for every branch, and the boundaries of its rules (docs/verdict.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, left_out, made_evidence, twin

from autokd.decide import Evidence, decide
from autokd.decide.comparisons import compare
from autokd.decide.policy import arm_pick, judge
from autokd.decide.strength import sureness
from autokd.records import Policy, Verdict

BETTER = (distilled(accuracy=0.94), direct(accuracy=0.925), twin(accuracy=0.92))
ALIKE = (distilled(accuracy=0.94), direct(accuracy=0.94), twin(accuracy=0.94))
LONE = (distilled(accuracy=0.9404), twin(accuracy=0.939))  # retention begins at 98.70 % and at 98.68 %
WEAK_STUDENTS = (distilled(accuracy=0.85), direct(accuracy=0.85), twin(accuracy=0.84))


def policy(**changes: Any) -> Policy:
    """A budget that the students meet and the teacher does not, unless changed."""
    return Policy(**({"max_cost": 0.001} | changes))


def priced(made: tuple[Made, ...], cost: float) -> tuple[Made, ...]:
    return tuple(replace(m, cost=cost) for m in made)


DEAR_TEACHER: dict[str, Any] = {}
CHEAP_TEACHER: dict[str, Any] = {"max_cost": 0.01}
AT_THE_LIMIT: dict[str, Any] = {"min_retention": 0.987}

CASES: dict[str, tuple[tuple[Made, ...], dict[str, Any], Verdict]] = {
    # two picks
    "better than twin and direct": (BETTER, DEAR_TEACHER, "distill"),
    "no gain": (ALIKE, DEAR_TEACHER, "use_small_model"),
    "better than direct, but so is the twin": (
        (distilled(accuracy=0.94), direct(accuracy=0.925, val=0.95), twin(accuracy=0.94, val=0.90)),
        DEAR_TEACHER,
        "use_small_model",
    ),
    "a gain, but direct is ahead with another student": (
        (distilled(accuracy=0.93), direct(accuracy=0.945), twin(accuracy=0.91)),
        DEAR_TEACHER,
        "use_small_model",
    ),
    "a gain, alike with direct, and cheaper": (
        (distilled(accuracy=0.94, cost=0.0002), direct(accuracy=0.94), twin(accuracy=0.92, cost=0.0002)),
        DEAR_TEACHER,
        "distill",
    ),
    "a gain, alike with direct, not cheaper": (
        (distilled(accuracy=0.94), direct(accuracy=0.94), twin(accuracy=0.92)),
        DEAR_TEACHER,
        "use_small_model",
    ),
    "ahead, but by less than matters": (BETTER, {"min_gain": 0.02}, "use_small_model"),
    "no twin": ((distilled(accuracy=0.94), direct(accuracy=0.92)), DEAR_TEACHER, "use_small_model"),
    "savings, distilled cheaper": (
        (distilled(accuracy=0.93, cost=0.0002), direct(accuracy=0.94), twin(accuracy=0.92)),
        {"prefer": "savings"},
        "distill",
    ),
    "savings, direct cheaper": (
        (distilled(accuracy=0.94), direct(accuracy=0.92, cost=0.0002), twin(accuracy=0.92)),
        {"prefer": "savings"},
        "use_small_model",
    ),
    "savings, costs alike, distilled better": (BETTER, {"prefer": "savings"}, "distill"),
    "savings, costs alike, no gain": (ALIKE, {"prefer": "savings"}, "use_small_model"),
    # one pick
    "direct keeps too little": (
        (distilled(accuracy=0.94), direct(accuracy=0.88), twin(accuracy=0.88)),
        DEAR_TEACHER,
        "distill",
    ),
    "distilled keeps too little": (
        (distilled(accuracy=0.88), direct(accuracy=0.94), twin(accuracy=0.88)),
        DEAR_TEACHER,
        "use_small_model",
    ),
    "only a twin is left": (
        (distilled(accuracy=0.88), direct(accuracy=0.88), twin(accuracy=0.94)),
        DEAR_TEACHER,
        "use_small_model",
    ),
    "savings, distilled cheaper, no gain": (
        (distilled(accuracy=0.94, cost=0.0002), direct(accuracy=0.94), twin(accuracy=0.94, cost=0.0003)),
        {"prefer": "savings"},
        "use_small_model",
    ),
    # the teacher could be kept
    "half the cost, no volume": (priced(BETTER, 0.00125), CHEAP_TEACHER, "distill"),
    "only a distilled one keeps enough, with a gain": (
        (distilled(accuracy=0.94), direct(accuracy=0.88), twin(accuracy=0.88)),
        CHEAP_TEACHER,
        "distill",
    ),
    "only a distilled one keeps enough, no gain shown": (LONE, CHEAP_TEACHER | AT_THE_LIMIT, "keep_teacher"),
    "only a distilled one keeps enough, no gain shown, the teacher is too dear": (
        LONE,
        DEAR_TEACHER | AT_THE_LIMIT,
        "distill",
    ),
    "only a distilled one keeps enough, no twin": ((distilled(accuracy=0.94),), CHEAP_TEACHER, "keep_teacher"),
    "over half the cost, no volume": (priced(BETTER, 0.00126), CHEAP_TEACHER, "keep_teacher"),
    "over half the cost, but better than the teacher": (
        priced((distilled(accuracy=0.97), direct(accuracy=0.93), twin(accuracy=0.92)), 0.002),
        CHEAP_TEACHER,
        "distill",
    ),
    "better than the teacher, but its cost does not differ": (
        priced((distilled(accuracy=0.97), direct(accuracy=0.93), twin(accuracy=0.92)), 0.0023),
        CHEAP_TEACHER,
        "keep_teacher",
    ),
    "volume pays": (BETTER, CHEAP_TEACHER | {"requests_per_month": 100_000}, "distill"),
    "volume does not pay": (BETTER, CHEAP_TEACHER | {"requests_per_month": 50_000}, "keep_teacher"),
    "volume pays over a longer horizon": (
        BETTER,
        CHEAP_TEACHER | {"requests_per_month": 50_000, "horizon_months": 24},
        "distill",
    ),
    "volume does not pay for the adoption": (
        BETTER,
        CHEAP_TEACHER | {"requests_per_month": 100_000, "adoption_usd": 10},
        "keep_teacher",
    ),
    "dearer than half, but the volume pays": (
        priced(BETTER, 0.002),
        CHEAP_TEACHER | {"requests_per_month": 1_000_000},
        "distill",
    ),
    "students keep too little beside the teacher": (WEAK_STUDENTS, CHEAP_TEACHER, "keep_teacher"),
    "nothing was trained beside the teacher": ((), CHEAP_TEACHER, "keep_teacher"),
    # nothing
    "students keep too little": (WEAK_STUDENTS, DEAR_TEACHER, "none"),
    "budget below everything": (BETTER, {"max_cost": 0.0001}, "none"),
    "nothing was trained": ((), DEAR_TEACHER, "none"),
    "too slow": (BETTER, {"max_latency_ms": 3.9}, "none"),
    "fast enough": (BETTER, {"max_latency_ms": 4.0}, "distill"),
    "the teacher is too slow": (BETTER, CHEAP_TEACHER | {"max_latency_ms": 10.0}, "distill"),
    "latency was not measured": (tuple(replace(m, p95=None) for m in BETTER), {"max_latency_ms": 100.0}, "none"),
    "a lower retention suffices": (WEAK_STUDENTS, {"min_retention": 0.8}, "use_small_model"),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts(case: str) -> None:
    made, asked, verdict = CASES[case]
    decision = decide(made_evidence(*made), policy(**asked))
    assert decision.verdict == verdict
    assert decision.summary.endswith(".")
    assert "\n" not in decision.summary
    assert len(decision.reasons) >= 3
    assert all(sentence.endswith(".") for sentence in (*decision.reasons, *decision.weaknesses, *decision.would_change))


# ---- 1: eligible -----------------------------------------------------------------------------------------------


def test_a_cost_that_equals_the_budget_is_within_it() -> None:
    evidence = made_evidence(*priced(BETTER, 0.1 + 0.2), teacher_cost=1.0)
    assert decide(evidence, policy(max_cost=0.3)).verdict == "distill"
    assert decide(evidence, policy(max_cost=0.2999)).verdict == "none"


def test_the_lower_end_of_retention_decides() -> None:
    evidence = made_evidence(*BETTER)
    low = decide(evidence, policy()).finalists[0].retention.low
    assert decide(evidence, policy(min_retention=low)).finalists[0].eligible
    refused = decide(evidence, policy(min_retention=low + 1e-6)).finalists[0]
    assert not refused.eligible
    assert "not shown to be" in refused.why_not[0]


def test_refusals_say_why_with_numbers() -> None:
    decision = decide(made_evidence(*priced(BETTER, 0.002)), policy(max_latency_ms=3, min_retention=0.999))
    cost, latency, retention = decision.finalists[0].why_not
    assert cost == "costs $0.002 per 1,000 requests, above the budget of $0.001"
    assert latency == "has a p95 latency of 4 ms, above the limit of 3 ms"
    assert retention.startswith("keeps 98.9 % of the teacher's accuracy")
    assert decision.options.teacher.why_not[0] == "costs $0.0025 per 1,000 requests, above the budget of $0.001"


# ---- 3: picks --------------------------------------------------------------------------------------------------


def picked(*made: Made, **asked: Any) -> int | None:
    case = compare(made_evidence(*made, images=2000))
    pick = arm_pick(list(case.students), policy(**asked))
    return pick.number if pick else None


def test_accuracy_takes_the_cheapest_within_the_gain_that_matters() -> None:
    best, near, far = direct(1, val=0.950, cost=3e-4), direct(2, val=0.947, cost=2e-4), direct(3, val=0.9469, cost=1e-4)
    assert picked(best, near, far) == 2
    assert picked(best, near, far, min_gain=0.0029) == 1
    assert picked(best, near, far, min_gain=0.004) == 3


def test_savings_take_the_most_accurate_of_those_whose_cost_does_not_differ() -> None:
    cheap, near, differs = direct(1, val=0.94, cost=0.90), direct(2, val=0.95, cost=0.99), direct(3, val=0.96, cost=1.0)
    assert picked(cheap, near, differs, prefer="savings") == 2  # 0.90 and 1.00 are a tenth of the larger apart


def test_ties_go_to_the_lower_cost_then_the_higher_accuracy_then_the_lower_number() -> None:
    assert picked(direct(1, val=0.95, cost=3e-4), direct(2, val=0.95, cost=2e-4)) == 2
    assert picked(direct(1, val=0.949, cost=2e-4), direct(2, val=0.95, cost=2e-4)) == 2
    assert picked(direct(2, val=0.95, cost=2e-4), direct(1, val=0.95, cost=2e-4)) == 1
    assert picked(direct(1, val=0.95, cost=3e-4), direct(2, val=0.95, cost=2.9e-4), prefer="savings") == 2


def test_no_finalist_is_no_pick() -> None:
    assert arm_pick([], policy()) is None


def test_picks_are_settled_on_validation_not_on_test() -> None:
    evidence = made_evidence(direct(1, accuracy=0.93, val=0.96), direct(2, accuracy=0.945, val=0.93))
    option = decide(evidence, policy()).options.direct
    assert option is not None
    assert option.finalist == 1


@pytest.mark.parametrize("role", ["twin", "default", "longer", "pick"])
def test_every_role_belongs_to_its_arm(role: Any) -> None:
    evidence = made_evidence(replace(direct(5, accuracy=0.945), role=role), direct(6, accuracy=0.93))
    option = decide(evidence, policy()).options.direct
    assert option is not None
    assert option.finalist == 5


# ---- 4: distill or not -----------------------------------------------------------------------------------------


def exact(images: int, right: int, wrong_first: int = 0) -> np.ndarray[Any, Any]:
    """Three equal seeds that get `right` images right, after `wrong_first` wrong ones."""
    row = (np.arange(images) >= wrong_first) & (np.arange(images) < wrong_first + right)
    return np.stack([row] * 3)


def with_correct(evidence: Evidence, **correct: np.ndarray[Any, Any]) -> Evidence:
    return replace(evidence, correct=evidence.correct | {int(k[1:]): v for k, v in correct.items()})


def test_the_mean_advantage_must_reach_the_gain_that_matters() -> None:
    evidence = made_evidence(distilled(), direct(), twin(), images=10_000)
    evidence = with_correct(evidence, f1=exact(10_000, 9400), f2=exact(10_000, 9370), f3=exact(10_000, 9200))
    assert decide(evidence, policy(min_gain=0.003)).verdict == "distill"
    assert decide(evidence, policy(min_gain=0.0031)).verdict == "use_small_model"


def test_a_cheaper_distilled_pick_may_lag_by_less_than_matters() -> None:
    made = (distilled(cost=0.0002), direct(), twin(cost=0.0002))
    evidence = with_correct(
        made_evidence(*made), f1=exact(10_000, 9400), f2=exact(10_000, 9410), f3=exact(10_000, 9200)
    )
    low = decide(evidence, policy()).advantage.low  # type: ignore[union-attr]
    assert decide(evidence, policy(min_gain=-low + 1e-6)).verdict == "distill"
    assert decide(evidence, policy(min_gain=-low - 1e-6)).verdict == "use_small_model"


def test_a_cost_a_tenth_lower_is_cheaper_and_less_is_not() -> None:
    def verdict(cost: float) -> Verdict:
        made = (distilled(accuracy=0.94, cost=cost), direct(accuracy=0.94, cost=0.0003), twin(cost=cost))
        return decide(made_evidence(*made), policy()).verdict

    assert verdict(0.00027) == "distill"
    assert verdict(0.000271) == "use_small_model"


def test_without_a_twin_the_reason_says_so() -> None:
    decision = decide(made_evidence(distilled(accuracy=0.94), direct(accuracy=0.92)), policy())
    assert decision.gain is None
    assert decision.advantage is not None
    assert any("has no twin" in reason for reason in decision.reasons)
    assert decision.strength == "weak"
    assert any("has no twin" in weakness for weakness in decision.weaknesses)


def test_one_twin_serves_two_distilled_finalists() -> None:
    evidence = made_evidence(distilled(1, 0.94), distilled(4, 0.945), direct(2, 0.925), twin(3, 0.92, of=(1, 4)))
    decision = decide(evidence, policy())
    assert decision.verdict == "distill"
    assert decision.options.distilled is not None
    assert decision.options.distilled.finalist == 4
    assert decision.gain is not None
    assert decision.gain.mean == pytest.approx(0.025, abs=0.003)
    pairs = [(a.distilled, a.direct) for a in decision.advantages]
    assert pairs == [(1, 2), (1, 3), (4, 2), (4, 3)]


# ---- the decision's other parts --------------------------------------------------------------------------------


def test_the_summary_names_student_teacher_and_money() -> None:
    assert decide(made_evidence(*BETTER), policy()).summary == (
        "Distill small_net: it keeps 98.9 % of big_net's accuracy at 8.3 times lower cost "
        "($0.0003 instead of $0.0025 per 1,000 requests)."
    )
    assert decide(made_evidence(*ALIKE), policy()).summary.startswith("Train small_net directly: it keeps")
    kept = decide(made_evidence(*WEAK_STUDENTS), policy(**CHEAP_TEACHER)).summary
    assert kept.startswith("Keep big_net: it costs $0.0025 per 1,000 requests, within the budget of $0.01")


def test_the_condition_is_the_break_even_where_no_volume_is_known() -> None:
    decision = decide(made_evidence(*BETTER, usd=2.2), policy(**CHEAP_TEACHER))
    assert decision.break_even_requests == pytest.approx(1_000_000)
    assert decision.condition is not None
    assert decision.condition.startswith(
        "once 1,000,000 requests in all are served, on machines that are busy for 30 % of the time"
    )
    assert decide(made_evidence(*BETTER), policy()).condition is None
    known = policy(**CHEAP_TEACHER, requests_per_month=1e6)
    assert decide(made_evidence(*BETTER), known).condition is None


def test_options_carry_money_and_records() -> None:
    decision = decide(made_evidence(*BETTER), policy(**CHEAP_TEACHER, requests_per_month=2e6, adoption_usd=5))
    teacher, small, student = decision.options.teacher, decision.options.direct, decision.options.distilled
    assert teacher.one_time_usd == 0
    assert teacher.monthly_usd == pytest.approx(5.0)
    assert teacher.eligible
    assert teacher.retention.mean == 1
    assert student is not None
    assert small is not None
    assert student.one_time_usd == small.one_time_usd == 7
    assert student.monthly_usd == pytest.approx(0.6)
    assert student.accuracy.seeds == 3
    assert student.accuracy.low < student.accuracy.mean < student.accuracy.high


def test_an_arm_without_a_pick_shows_its_nearest_finalist_as_not_worthwhile() -> None:
    decision = decide(made_evidence(distilled(), direct(accuracy=0.88), twin(accuracy=0.87)), policy())
    small = decision.options.direct
    assert small is not None
    assert (small.finalist, small.eligible, small.worthwhile) == (2, False, False)
    assert small.why_not
    assert decide(made_evidence(distilled()), policy()).options.direct is None


def test_a_teacher_beaten_by_a_direct_student_is_reported() -> None:
    decision = decide(made_evidence(*ALIKE, teacher_val=0.935), policy())
    assert any("not worth distilling" in reason and "94.0 %" in reason for reason in decision.reasons)
    assert not any("not worth distilling" in reason for reason in decide(made_evidence(*ALIKE), policy()).reasons)


def test_no_finalists_at_all() -> None:
    decision = decide(made_evidence(nearest=(left_out("tiny_net", 0.0012),), trials=0), policy())
    assert decision.verdict == "none"
    assert decision.strength == "strong"
    assert decision.options.direct is None
    assert decision.options.distilled is None
    assert decision.finalists == ()
    assert "tiny_net" in decision.summary


def test_judging_again_is_cheap_because_statistics_are_kept() -> None:
    case = compare(made_evidence(*BETTER))
    assert judge(case, policy()).verdict == "distill"
    assert judge(case, policy(max_cost=1e-4)).verdict == "none"


# ---- a distilled pick without a direct one -----------------------------------------------------------------------


def test_a_lone_distilled_pick_without_a_shown_gain_says_what_is_open() -> None:
    asked = policy(**CHEAP_TEACHER, **AT_THE_LIMIT)
    decision = decide(made_evidence(*LONE), asked)
    assert decision.strength == "weak"
    assert "keeps enough, but does not show a gain" in decision.summary
    assert any("No gain above 0 is shown" in reason for reason in decision.reasons)
    assert any("may cost up to $" in w and "Its gain from distilling is not shown" in w for w in decision.weaknesses)
    assert decision.options.distilled is not None
    assert decision.options.distilled.eligible
    assert "is not shown to gain from distilling" in decision.options.distilled.why_not[0]


def test_harm_that_is_shown_leaves_nothing_open() -> None:
    alone = (distilled(accuracy=0.94), twin(accuracy=0.96, cost=0.002))
    judged = judge(compare(made_evidence(*alone)), policy(max_cost=0.01, requests_per_month=100_000))
    assert (judged.verdict, judged.unproven) == ("keep_teacher", True)
    assert sureness(judged).weaknesses == ()


def test_a_direct_finalist_that_gives_way_does_not_stand_in_for_a_gain() -> None:
    alone = (distilled(1, 0.94, cost=2e-4), direct(2, 0.91, cost=9e-4))
    decision = decide(made_evidence(*alone), policy(**CHEAP_TEACHER))
    assert (decision.verdict, decision.strength) == ("keep_teacher", "weak")
    assert decision.options.direct is not None
    assert not decision.options.direct.worthwhile
    assert "costs more than the distilled pick and is less accurate" in decision.options.direct.why_not[0]


def test_among_lone_distilled_finalists_the_one_with_a_gain_is_the_pick() -> None:
    made = (
        distilled(1, 0.9404, val=0.95),
        twin(2, 0.939, of=(1,)),
        distilled(3, 0.9404, val=0.94, student="other_net"),
        twin(4, 0.92, of=(3,), student="other_net"),
    )
    asked = policy(**CHEAP_TEACHER, **AT_THE_LIMIT)
    judged = judge(compare(made_evidence(*made)), asked)
    assert judged.verdict == "distill"
    assert judged.pick is not None
    assert judged.pick.number == 3
