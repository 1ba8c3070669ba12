"""Students in their other forms: the teacher and the picks compared each in its best.

A student was trained and tested in the form of the run. Of the weights that are exported it is known, too, what they
cost and get right in other forms. What a form loses on that seed's images is taken from what all seeds have shown, so
intervals keep their widths. What a form seems to gain is chance, and is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from autokd.decide.class_recall import Recalls
from autokd.decide.comparisons import Comparison, Student, of_reading
from autokd.decide.economics import cheaper
from autokd.decide.policy import Judgement, best_form, judge, pays, preferred
from autokd.decide.policy_limits import QUALITY, affordable, missed
from autokd.decide.statistics.intervals import Estimate
from autokd.formatting import percent, percent_pair
from autokd.records import Policy, SeededInterval, ServedForm, StudentForms


@dataclass(frozen=True)
class StudentInForm(Student):
    """A finalist in another form than that of the run."""

    form: ServedForm
    seed: int
    lost: float  # of the test accuracy of that seed; below 0 where some is gained


def other_forms(comparison: Comparison, student: Student) -> tuple[StudentInForm, ...]:
    """Those that cost less than that of the run under these conditions, cheapest first; none if not measured."""
    found = (form for form in measured_forms(comparison, student) if cheaper(form.cost.mean, student.cost.mean))
    return tuple(sorted(found, key=lambda each: each.cost.mean))


def measured_forms(comparison: Comparison, student: Student) -> Iterator[StudentInForm]:
    """All that were measured, whatever they cost."""
    for known in comparison.evidence.student_forms:
        if known.finalist == student.number:
            yield from (_in_form(comparison, student, known, form) for form in known.forms)


def why_not_good_enough(comparison: Comparison, student: StudentInForm, policy: Policy) -> tuple[str, ...]:
    """Clauses that begin with a verb; none where a student in this form is good enough, on validation as on test."""
    found = [limit.refusal(student, policy) for limit in missed(QUALITY, student, policy)]
    teacher = comparison.evidence.teacher
    needed = policy.min_retention * teacher.to_keep
    if student.form.val_accuracy < needed:
        own, least = percent_pair(student.form.val_accuracy, needed)
        found.append(
            f"is right on {own} of the validation images, less than {least}: {percent(policy.min_retention)} "
            f"of the teacher's{'' if teacher.to_keep == teacher.val_accuracy else ' on test'}"
        )
    return tuple(found)


def best_student_form(comparison: Comparison, student: Student, policy: Policy) -> Student:
    """The form in which a student would be served: good enough, worthwhile if any is, then by what is preferred.

    comparison: with the teacher in the form that would be kept.
    """
    others = other_forms(comparison, student)
    good = [student, *(form for form in others if not why_not_good_enough(comparison, form, policy))]
    fitting = [form for form in good if affordable(form, policy)]
    kept = affordable(comparison.teacher, policy)
    paying = [form for form in fitting if not kept or pays(form, comparison, policy)]
    return preferred(paying or fitting or good, policy) or student


def judge_in_best_forms(comparison: Comparison, policy: Policy) -> Judgement:
    """The verdict where every student that was measured in other forms stands in its best, as the teacher does.

    Two students that were both measured so are compared with what either loses; a student and one that was not, such as
    a twin, as if both lost the same.
    """
    against = replace(comparison, teacher=best_form(comparison, policy))
    students = tuple(best_student_form(against, student, policy) for student in comparison.students)
    measured = {known.finalist for known in comparison.evidence.student_forms}
    lost = {s.number: max(s.lost, 0.0) if isinstance(s, StudentInForm) else 0.0 for s in students}
    differences = {
        (a, b): _less(estimate, lost[a] - lost[b]) if {a, b} <= measured else estimate
        for (a, b), estimate in comparison.differences.items()
    }
    return judge(replace(comparison, students=students, differences=differences), policy)


def _in_form(comparison: Comparison, student: Student, known: StudentForms, form: ServedForm) -> StudentInForm:
    """A finalist with what one of its seeds has shown in another form."""
    evidence, base = comparison.evidence, comparison.teacher_accuracy.mean
    row, result = next((i, seed) for i, seed in enumerate(student.record.seeds) if seed.seed == known.seed)
    own, correct = evidence.correct[student.number][row], evidence.student_forms_correct[known.key(form)]
    lost = float(own.mean() - correct.mean())
    flipped = float((evidence.teacher_correct & ~correct).mean() - (evidence.teacher_correct & ~own).mean())
    estimate = _less(student.estimate, max(lost, 0.0) / base)
    moved = {
        "val_accuracy": student.val_accuracy + min(form.val_accuracy - result.val_accuracy, 0.0),
        "accuracy": _moved(student.accuracy, -max(lost, 0.0)),
        "estimate": estimate,
        "retention": estimate.cut(0.0, 1 / base),
        "flips": _moved(student.flips, max(flipped, 0.0)),
        "recalls": Recalls(correct[None], evidence.labels, evidence.task.classes, evidence.level),
    }
    told = {"form": form, "seed": known.seed, "lost": lost}
    return StudentInForm(**(vars(student) | of_reading(form.reading) | moved | told))


def _less(estimate: Estimate, by: float) -> Estimate:
    return replace(estimate, mean=estimate.mean - by)


def _moved(interval: SeededInterval, by: float) -> SeededInterval:
    ends = {end: min(max(getattr(interval, end) + by, 0.0), 1.0) for end in ("mean", "low", "high")}
    return interval.model_copy(update=ends)
