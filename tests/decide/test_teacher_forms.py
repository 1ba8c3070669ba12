"""The teacher's own cheaper forms are rivals: what students are compared with is the form that would be kept."""

from __future__ import annotations

from typing import Any

import pytest
from made_evidence import TEACHER_COST, direct, made_evidence, with_form

from autokd.decide import decide
from autokd.records import Policy

BUDGET = 0.002  # below the teacher's cost as it was measured


def policy(**changes: Any) -> Policy:
    return Policy(max_cost=BUDGET).model_copy(update=changes)


def test_a_budget_that_only_another_form_meets_keeps_the_teacher_in_it() -> None:
    bare = made_evidence(direct(accuracy=0.80))
    assert decide(bare, policy()).verdict == "none"
    found = decide(with_form(bare, "int8", 0.0015, lost=0.004), policy())
    assert found.verdict == "keep_teacher"
    assert found.summary.startswith("Keep big_net (int8 in ONNX Runtime): it costs $0.0015 per 1,000 requests")
    assert found.options.teacher.student == "big_net (int8 in ONNX Runtime)"
    assert found.options.teacher.eligible
    assert [option.eligible for option in found.options.teacher_forms] == [False, True]
    assert any("which costs 1.7 times less than the form that was measured" in reason for reason in found.reasons)


def test_a_student_has_to_pay_against_the_cheaper_form() -> None:
    """At half the cost of the teacher in fp32 a student pays; against bf16 at a third it is dearer."""
    bare = made_evidence(direct(accuracy=0.94, cost=0.0012), teacher_cost=0.0025)
    asked = policy(max_cost=0.01)
    assert decide(bare, asked).verdict == "use_small_model"
    found = decide(with_form(bare, "bf16", 0.0008), asked)
    assert found.verdict == "keep_teacher"
    assert found.options.teacher.cost_usd_per_1k == 0.0008


def test_a_student_is_praised_against_the_form_that_would_be_kept() -> None:
    bare = made_evidence(direct(accuracy=0.94, cost=0.0001), teacher_cost=0.002)
    found = decide(with_form(bare, "bf16", 0.001), policy())
    assert found.verdict == "use_small_model"
    assert (
        "of big_net's accuracy at 10.0 times lower cost ($0.0001 instead of $0.001 per 1,000 requests)" in found.summary
    )
    assert found.economics is not None and found.economics.saving_usd_per_1k is not None
    assert found.economics.saving_usd_per_1k.mean == pytest.approx(0.0009)


def test_a_form_that_loses_too_much_is_no_rival() -> None:
    bare = made_evidence(direct(accuracy=0.80))
    found = decide(with_form(bare, "int8", 0.0015, lost=0.06), policy())
    assert found.verdict == "none"
    broken = found.options.teacher_forms[1]
    assert not broken.eligible
    assert "of the teacher's accuracy" in broken.why_not[0]


def test_by_accuracy_the_cheapest_of_the_most_accurate_stands_and_by_savings_the_cheapest() -> None:
    evidence = with_form(with_form(made_evidence(direct(accuracy=0.80)), "bf16", 0.0018), "int8", 0.001, lost=0.01)
    assert "bf16" in decide(evidence, policy(max_cost=0.01)).options.teacher.student
    assert "int8" in decide(evidence, policy(max_cost=0.01, prefer="savings")).options.teacher.student
    assert "int8" in decide(evidence, policy(max_cost=0.0012)).options.teacher.student


def test_with_one_form_nothing_is_said_of_forms() -> None:
    found = decide(made_evidence(direct(accuracy=0.94)), policy(max_cost=TEACHER_COST))
    assert found.options.teacher_forms == ()
    assert found.options.teacher.student == "big_net"
    assert not any("form" in reason for reason in found.reasons)


def test_a_noisy_form_moves_in_repeats() -> None:
    """A form whose cost lies at the budget is affordable in some repeats only."""
    bare = made_evidence(direct(accuracy=0.80))
    sure = decide(with_form(bare, "int8", 0.0012, noise=0.02), policy())
    open_ = decide(with_form(bare, "int8", 0.00195, noise=0.15), policy())
    assert sure.repeatability is not None and open_.repeatability is not None
    assert sure.repeatability > 0.95 > open_.repeatability
