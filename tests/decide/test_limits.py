"""Limits that are only set on request, and direct picks that nobody should be told to take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_evidence import Made, direct, distilled, made_evidence, twin

from autokd.decide import Evidence, decide
from autokd.decide.comparisons import compare
from autokd.decide.policy import judge
from autokd.records import Policy

ALIKE = (distilled(accuracy=0.94), direct(accuracy=0.94), twin(accuracy=0.94))


def asked(**changes: float) -> Policy:
    return Policy(max_cost=0.001, **changes)


def test_flips_are_what_the_teacher_gets_right_and_the_student_wrong() -> None:
    evidence = made_evidence(*ALIKE)
    flips = compare(evidence).student(1).flips
    assert flips.mean == pytest.approx((evidence.teacher_correct & ~evidence.correct[1]).mean())
    assert 0 < flips.low < flips.mean < flips.high


def test_a_student_must_be_shown_to_flip_little_enough() -> None:
    evidence = made_evidence(*ALIKE)
    flips = compare(evidence).student(1).flips
    assert 1 in judge(compare(evidence), asked(max_negative_flips=flips.high + 1e-6)).eligible
    between = decide(evidence, asked(max_negative_flips=(flips.mean + flips.high) / 2))
    refused = next(f for f in between.finalists if f.number == 1)
    assert not refused.eligible
    assert "not shown to be" in refused.why_not[0]
    assert "wrong that the teacher gets right" in refused.why_not[0]


def test_flips_that_no_interval_rules_out_make_the_refusal_weak() -> None:
    evidence = made_evidence(*ALIKE)
    case = compare(evidence)
    limit = min(s.flips.mean for s in case.students)
    weak = decide(evidence, asked(max_negative_flips=limit))
    assert (weak.verdict, weak.strength) == ("none", "weak")
    assert any("wrong that the teacher gets right (95 %" in sentence for sentence in weak.weaknesses)
    ruled_out = decide(evidence, asked(max_negative_flips=min(s.flips.low for s in case.students) / 2))
    assert (ruled_out.verdict, ruled_out.strength) == ("none", "strong")


def one_bad_class(share: float) -> Evidence:
    """Ten classes; every finalist loses a share of the last one."""
    evidence = made_evidence(*ALIKE)
    labels = np.arange(evidence.task.test) % 10
    lost = (labels == 9) & (np.arange(len(labels)) % 100 < share * 100)
    return replace(
        evidence,
        task=evidence.task.model_copy(update={"classes": tuple("abcdefghij")}),
        labels=labels,
        correct={number: correct & ~lost for number, correct in evidence.correct.items()},
    )


def test_the_worst_class_is_found_and_judged_by_its_interval() -> None:
    evidence = one_bad_class(0.2)
    worst = compare(evidence).student(1).worst
    own = evidence.labels == 9
    assert (worst.name, worst.images) == ("j", 1000)
    assert worst.recall.mean == pytest.approx(evidence.correct[1][:, own].mean())
    assert decide(evidence, asked(min_retention=0.9)).verdict == "use_small_model"
    assert decide(evidence, asked(min_retention=0.9, min_class_recall=worst.recall.low - 0.01)).verdict != "none"
    refused = decide(evidence, asked(min_retention=0.9, min_class_recall=worst.recall.high + 0.01))
    assert (refused.verdict, refused.strength) == ("none", "strong")
    assert any("of class j, with the whole interval below" in why for f in refused.finalists for why in f.why_not)


def test_a_class_that_lacks_recall_is_named_with_the_limit_that_would_do() -> None:
    evidence = one_bad_class(0.2)
    refused = decide(evidence, asked(min_retention=0.9, min_class_recall=0.9))
    assert any(
        "With a required recall of" in sentence and "use the small model" in sentence
        for sentence in refused.would_change
    )
    assert "required recall of" in " ".join(refused.reasons)


def few_images(images: list[int]) -> Evidence:
    """Classes with so many test images; every finalist has all of the last class right."""
    labels = np.repeat(np.arange(len(images)), images)
    evidence = made_evidence(*ALIKE, images=len(labels))
    return replace(
        evidence,
        task=evidence.task.model_copy(update={"classes": tuple("abcdefghij")[: len(images)]}),
        labels=labels,
        correct={n: c | (labels == len(images) - 1) for n, c in evidence.correct.items()},
    )


@pytest.mark.parametrize("last", [0, 1, 5])
def test_a_class_with_few_test_images_is_not_shown_to_be_recognised(last: int) -> None:
    evidence = few_images([2000, 2000, last])
    student = compare(evidence).student(1)
    assert (student.worst.name, student.worst.images) == ("c", last)
    refused = decide(evidence, asked(min_class_recall=0.9))
    assert (refused.verdict, refused.strength) == ("none", "weak")
    assert "class c" in refused.finalists[0].why_not[0]
    assert decide(evidence, asked()).verdict == "use_small_model"


def test_one_test_image_a_class_is_enough_where_no_recall_is_asked_for() -> None:
    evidence = made_evidence(*ALIKE, images=100)
    names = tuple(f"class {i}" for i in range(100))
    evidence = replace(
        evidence, task=evidence.task.model_copy(update={"classes": names}), labels=np.arange(100, dtype=np.int64)
    )
    assert decide(evidence, asked(min_retention=0.5)).verdict == "use_small_model"


def test_limits_that_are_not_set_change_nothing() -> None:
    evidence = one_bad_class(0.5)
    assert decide(evidence, asked(min_retention=0.8)).verdict == "use_small_model"


# ---- outdone ---------------------------------------------------------------------------------------------------


def outdone(**twins: float) -> tuple[Made, ...]:
    """The direct pick leads on validation, but is dearer and on test behind the distilled pick, which gains nothing."""
    return (
        distilled(accuracy=0.94, cost=0.0002, val=0.94),
        direct(accuracy=0.92, cost=0.0008, val=0.96, student="dear_net"),
        twin(accuracy=0.94, cost=0.0002, val=0.93, **twins),
    )


def test_a_direct_pick_that_is_dearer_and_worse_gives_way_to_the_twin() -> None:
    evidence = made_evidence(*outdone())
    decision = decide(evidence, asked())
    assert decision.verdict == "use_small_model"
    assert decision.options.direct is not None
    assert decision.options.direct.finalist == 3
    assert any("dear_net, leads the direct arm on validation. It costs more" in reason for reason in decision.reasons)


def test_without_another_direct_finalist_the_distilled_pick_is_alone() -> None:
    decision = decide(made_evidence(*outdone()[:2]), asked())
    assert decision.verdict == "distill"
    assert (
        "Every worthwhile direct finalist costs more and is less accurate than the distilled pick." in decision.reasons
    )


def test_one_that_is_dearer_but_not_shown_to_be_worse_stays() -> None:
    made = (outdone()[0], replace(outdone()[1], accuracy=0.94), outdone()[2])
    decision = decide(made_evidence(*made), asked())
    assert decision.options.direct is not None
    assert decision.options.direct.finalist == 2


# ---- several classes in question -------------------------------------------------------------------------------


def test_a_class_that_cannot_have_the_recall_is_named_before_one_that_may_have_any() -> None:
    evidence = few_images([2000, 2000, 3])
    large = evidence.labels == 0
    lost = large & (np.arange(len(evidence.labels)) % 5 == 0)
    evidence = replace(evidence, correct={n: c & ~lost for n, c in evidence.correct.items()})
    student = compare(evidence).student(1)
    assert (student.worst.name, student.lowest.name) == ("c", "a")
    refused = decide(evidence, asked(min_retention=0.7, min_class_recall=0.9))
    assert (refused.verdict, refused.strength) == ("none", "strong")
    assert all("class a, with the whole interval below 90" in f.why_not[0] for f in refused.finalists)


def test_more_images_narrow_the_recalls_too() -> None:
    comparison = compare(one_bad_class(0.2))
    now, later = (case.student(1).worst.recall for case in (comparison, comparison.with_more(images=100)))
    assert later.mean == now.mean
    assert 8 * (later.high - later.low) < now.high - now.low
