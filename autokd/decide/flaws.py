"""Flaws of the evidence that no number covers; a verdict with any of them is weak."""

from __future__ import annotations

from collections.abc import Iterator

from autokd import formatting as fmt
from autokd.decide.best_forms import StudentInForm, judge_in_best_forms
from autokd.decide.comparisons import Student
from autokd.decide.economics import within
from autokd.decide.policy import Judgement
from autokd.decide.policy_limits import affordable
from autokd.decide.sensitivity import flips_within
from autokd.naming import named, set_to
from autokd.records import ServedForm

LEAST_LOOKED_AT = 0.5  # share of the candidates that have to be looked at
MOST_COPIES = 0.001  # of the test images; the accuracies that are compared are no closer than that


def flaws(judged: Judgement) -> tuple[str, ...]:
    """A sentence each, with what is needed."""
    sources = (
        _trouble, _test_seen, _copies, _untried, _not_looked_at, _few_seeds, _unfinished, _borrowed, _other_forms,
    )  # fmt: skip
    return tuple(sentence for source in sources for sentence in source(judged))


def _trouble(judged: Judgement) -> Iterator[str]:
    """What went wrong in the search; an arm that was tried and has no finalist."""
    yield from (note.text for note in judged.comparison.evidence.search.notes)
    if judged.comparison.evidence.search.trials and not judged.comparison.evidence.search.notes:
        for arm in ("distill", "direct"):
            if not any(student.arm == arm for student in judged.comparison.students):
                yield f"The {arm} arm has no finalist, so there is nothing to compare. Needed: more trials."


def _test_seen(judged: Judgement) -> Iterator[str]:
    """Weights from elsewhere may have been trained on test images that were cut from training."""
    evidence = judged.comparison.evidence
    if evidence.teacher.own_weights and not evidence.task.test_is_separate:
        yield (
            f"{evidence.teacher.name} came with its own weights. It may have been trained on images that are now test "
            "images. Needed: a separate test/ folder."
        )
    own = [s.name for s in judged.picks if s.record.weights is not None and s.record.weights.as_is]
    if own and not evidence.task.test_is_separate:
        yield (
            f"The start weights of {fmt.listed(list(dict.fromkeys(own)))} are of these very classes. They may have "
            "been trained on images that are now test images. Needed: a separate test/ folder."
        )


def _copies(judged: Judgement) -> Iterator[str]:
    """What was learnt by heart counts for whoever learns by heart best."""
    for copies in judged.comparison.evidence.task.copies:
        if copies.part == "test" and copies.count > MOST_COPIES * copies.images:
            yield (
                f"{copies.count:,} of {copies.images:,} test images are copies of training images. Needed: a test part "
                "without them."
            )


def _untried(judged: Judgement) -> Iterator[str]:
    budget = judged.comparison.evidence.budget
    if budget is not None and not within(judged.policy.max_cost, budget):
        yield (
            f"The search tried no student that costs more than {fmt.usd(budget)} per 1,000 requests under these "
            f"conditions. Needed: a new search under them with {set_to('max_cost', judged.policy.max_cost)}."
        )


def _not_looked_at(judged: Judgement) -> Iterator[str]:
    search = judged.comparison.evidence.search
    if 0 < search.looked_at < LEAST_LOOKED_AT * search.candidates:
        yield (
            f"The search looked at {search.looked_at} of {search.candidates} students only. Needed: a new search with "
            "more time."
        )


def _few_seeds(judged: Judgement) -> Iterator[str]:
    rests = {s.number: s for s in (*judged.picks, judged.twin) if s is not None}
    single = [f"{s.number} ({s.name})" for s in rests.values() if s.accuracy.seeds < 2 and s.record.recipe.epochs]
    if single:
        which = "Finalist" if len(single) == 1 else "Finalists"
        yield f"{which} {fmt.listed(single)} had one seed, which says nothing about other seeds. Needed: 3 seeds."


def _unfinished(judged: Judgement) -> Iterator[str]:
    """The best student was still improving, and the verdict is to take none."""
    affordable_ones = [s for s in judged.comparison.students if affordable(s, judged.policy) and s.record.recipe.epochs]
    if judged.pick is not None or not affordable_ones:
        return
    best = max(affordable_ones, key=lambda s: (s.val_accuracy, -s.number))
    how = _still_improving(judged, best)
    if how:
        twice = set_to("epochs", 2 * best.record.recipe.epochs)
        yield f"The most accurate student, {best.name}, {how}, so it may yet be enough. Needed: a search with {twice}."


def _borrowed(judged: Judgement) -> Iterator[str]:
    """A price of another machine than was measured, where the right one may flip the verdict.

    The right one is taken to lie in the range of the table's prices for machines of that kind and size: which of them
    was measured is not known, but it is one of them.
    """
    model = judged.comparison.evidence.cost_model
    if not model.has_load:
        return
    for name, price, setting in (
        ("price", model, "price_per_hour"),
        ("teacher_price", model.teacher_price, "teacher_price_per_hour"),
    ):
        if price is None or price.price_origin != "borrowed" or price.price_range is None:
            continue
        if flips := flips_within(judged, name, price.price_range):
            nearest = min(flips, key=lambda change: change.effort)
            yield (
                f"The price is that of another machine than was measured, and machines of that kind and size cost "
                f"{fmt.usd(price.price_range.low)} to {fmt.usd(price.price_range.high)} an hour: "
                f"{nearest.clause}. Needed: {named(setting)}."
            )


def _other_forms(judged: Judgement) -> Iterator[str]:
    """The verdict would be another one if teacher and picks stood each in its best form."""
    if not judged.comparison.evidence.student_forms:
        return
    other = judge_in_best_forms(judged.comparison, judged.policy)
    if other.verdict == judged.verdict:
        return
    standing = [student for student in other.comparison.students if isinstance(student, StudentInForm)]
    told = [student for student in standing if student is other.pick] or standing
    served = [
        f"finalist {s.number} ({s.name}) as {s.form.words} ({fmt.usd(s.cost.mean)} per 1,000 requests, "
        f"{fmt.percent(s.form.test_accuracy)} on test, one seed{', a noisy reading' if s.form.reading.noisy else ''})"
        for s in told
    ]
    commands = [f"`autokd export RUN --finalist {s.number} {_export_options(s.form)}`" for s in told]
    it = "it" if len(told) == 1 else "them"
    yield (
        f"With {fmt.listed(served)} the verdict would be {other.verdict}. Needed: {fmt.listed(commands)}, and cost and "
        f"accuracy of {it} where you serve."
    )


def _export_options(form: ServedForm) -> str:
    if form.runtime != "onnxruntime":
        return "--format timm"
    return "--format onnx --precision int8" if form.precision == "int8" else "--format onnx"


def _still_improving(judged: Judgement, student: Student) -> str | None:
    """How it shows that longer training would gain more than the policy lets pass; None where it does not."""
    record, most = student.record, judged.policy.max_regret
    length = _epochs(record.recipe.epochs)
    if record.late_gain is None:
        return f"was trained for {length}, too few to tell whether it was done"
    if record.late_gain > most:
        return f"gained {_points(record.late_gain)} on validation in the last quarter of {length}"
    shorter = [
        other.val_accuracy
        for other in judged.comparison.arm(student.arm)
        if other.name == student.name and other.record.recipe.epochs < record.recipe.epochs
    ]
    gained = student.val_accuracy - max(shorter, default=student.val_accuracy)
    return f"gained {_points(gained)} on validation by training longer" if gained > most else None


def _points(share: float) -> str:
    return fmt.points(share).removeprefix("+")


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count > 1 else ''}"
