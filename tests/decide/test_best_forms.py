"""Teacher and picks are compared each in its best form; where that gives another verdict, today's is weak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_evidence import direct, distilled, made_evidence, twin, with_form, with_student_form

from autokd.decide import Evidence, decide
from autokd.decide.best_forms import judge_in_best_forms
from autokd.decide.comparisons import compare
from autokd.decide.what_if import under
from autokd.records import Decision, Policy

INT8 = "as int8 in ONNX Runtime"


def policy(**changes: Any) -> Policy:
    return Policy(max_cost=0.01).model_copy(update=changes)


def kept_in_int8() -> Evidence:
    """In fp32 the student costs half as much as the teacher; in int8 the teacher costs less than that."""
    return with_form(made_evidence(direct(accuracy=0.94, cost=0.001), teacher_cost=0.0025), "int8", 0.0011)


def form_flaws(found: Decision) -> list[str]:
    return [weakness for weakness in found.weaknesses if "where you serve." in weakness]


def test_a_teacher_kept_in_int8_is_weak_where_the_student_in_int8_pays() -> None:
    found = decide(with_student_form(kept_in_int8(), 2, 0.0003, lost=0.002), policy())
    assert found.verdict == "keep_teacher"
    assert found.strength == "weak"
    (flaw,) = form_flaws(found)
    assert flaw.startswith(f"With finalist 2 (small_net) {INT8} ($0.0003 per 1,000 requests, ")
    assert "on test, one seed) the verdict is to use the small model directly." in flaw
    assert "`autokd export RUN --finalist 2 --format onnx --precision int8`" in flaw


def test_what_a_student_is_in_its_forms_is_told_with_the_factor_between_the_best_of_both() -> None:
    evidence = with_student_form(with_student_form(kept_in_int8(), 2, 0.0003, lost=0.002), 2, 0.0006, "bf16")
    option = decide(evidence, policy()).options.direct
    assert option is not None and option.other_form is not None
    int8, bf16 = option.forms
    assert (int8.words, bf16.words) == ("int8 in ONNX Runtime", "bf16 in ONNX Runtime")
    assert (int8.best, bf16.best) == (True, False)
    assert option.other_form is int8
    assert int8.lost == pytest.approx(0.002)
    assert int8.retention.mean == pytest.approx(option.retention.mean - 0.002 / 0.95, abs=1e-6)
    assert int8.why_not == ()
    assert option.factor_in_best_forms == pytest.approx(0.0011 / 0.0003)


def test_the_rule_is_the_same_where_the_student_gains_nothing_from_another_form() -> None:
    found = decide(with_student_form(kept_in_int8(), 2, None), policy())
    assert form_flaws(found) == []
    option = found.options.direct
    assert option is not None
    assert option.forms == ()
    assert option.factor_in_best_forms == pytest.approx(1.1)
    assert not any("measured in the latter only" in reason for reason in found.reasons)


def test_a_finalist_that_was_measured_in_one_form_is_named() -> None:
    found = decide(kept_in_int8(), policy())
    assert any("Finalist 2 (small_net) was measured in the latter only" in reason for reason in found.reasons)


@pytest.mark.parametrize("lost", [{"lost": 0.06}, {"lost": 0.0, "val_lost": 0.06}])
def test_a_form_that_loses_too_much_on_test_or_on_validation_is_not_good_enough(lost: dict[str, float]) -> None:
    found = decide(with_student_form(kept_in_int8(), 2, 0.0003, **lost), policy())
    assert form_flaws(found) == []
    option = found.options.direct
    assert option is not None
    (form,) = option.forms
    assert not form.best
    assert len(form.why_not) >= 1
    assert option.factor_in_best_forms == pytest.approx(1.1)
    if "val_lost" in lost:
        assert "of the validation images, less than" in form.why_not[0]


def test_what_a_form_seems_to_gain_is_not_counted() -> None:
    """A student a little below the required retention is not lifted above it by luck."""
    bare = with_form(made_evidence(direct(accuracy=0.905, cost=0.001), teacher_cost=0.0025), "int8", 0.0011)
    found = decide(with_student_form(bare, 2, 0.0003, lost=-0.02), policy())
    assert found.verdict == "keep_teacher"
    assert form_flaws(found) == []


def test_a_gain_over_a_twin_that_was_not_measured_stays() -> None:
    """Distilled and twin are compared in the form of the run; in int8 the twin would lose as well."""
    evidence = made_evidence(distilled(accuracy=0.945), twin(accuracy=0.93))
    judged = judge_in_best_forms(compare(with_student_form(evidence, 1, 0.0001, lost=0.01)), policy())
    assert judged.verdict == "distill"
    assert judged.gain is not None
    assert judged.gain.mean == pytest.approx(compare(evidence).differences[1, 3].mean)


def test_two_measured_picks_are_compared_with_what_either_loses() -> None:
    evidence = made_evidence(distilled(accuracy=0.945), direct(accuracy=0.935), twin(accuracy=0.92))
    both = with_student_form(with_student_form(evidence, 1, 0.0001, lost=0.002), 2, 0.0001, lost=0.001)
    before, after = compare(evidence), judge_in_best_forms(compare(both), policy())
    assert after.verdict == "distill"
    assert after.advantage is not None
    assert after.advantage.mean == pytest.approx(before.differences[1, 2].mean - 0.001, abs=1e-9)


def test_another_price_counts_for_the_forms_too() -> None:
    evidence = with_student_form(kept_in_int8(), 2, 0.0003)
    doubled = under(evidence, evidence.cost_model.model_copy(update={"price_usd_per_hour": 2.4}))
    option = decide(doubled, policy()).options.direct
    assert option is not None
    assert option.forms[0].cost_usd_per_1k == pytest.approx(0.0006)
    assert option.factor_in_best_forms == pytest.approx(0.0011 / 0.0003)


def test_a_form_that_costs_no_less_under_other_conditions_is_left_out() -> None:
    """One replica of either form serves the whole volume."""
    evidence = with_student_form(kept_in_int8(), 2, 0.0003)
    fleet = under(evidence, evidence.cost_model.model_copy(update={"requests_per_month": 1e4}))
    option = decide(fleet, policy(max_cost=1e6, requests_per_month=1e4)).options.direct
    assert option is not None
    assert option.forms == ()
    assert option.factor_in_best_forms == 1.0


def test_limits_on_flips_and_recalls_are_asked_of_the_form() -> None:
    evidence = with_student_form(made_evidence(direct(accuracy=0.94)), 2, 0.0001, lost=0.03)
    for asked in (policy(max_negative_flips=0.04), policy(min_class_recall=0.92)):
        option = decide(evidence, asked).options.direct
        assert option is not None
        assert option.eligible
        assert option.forms[0].why_not
    assert decide(evidence, policy()).options.direct.forms[0].why_not == ()  # type: ignore[union-attr]


def test_forms_of_the_best_of_equals_do_not_depend_on_the_order_of_the_finalists() -> None:
    evidence = with_student_form(made_evidence(distilled(), direct(), twin()), 2, 0.0001)
    turned = replace(evidence, finalists=evidence.finalists[::-1])
    assert decide(evidence, policy()).options == decide(turned, policy()).options
