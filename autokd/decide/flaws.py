"""Flaws of the evidence that no number covers; a verdict with any of them is weak."""

from __future__ import annotations

from collections.abc import Iterator

from autokd import formatting as fmt
from autokd.decide.best_forms import StudentInForm, judge_in_best_forms
from autokd.decide.comparisons import Comparison, Student
from autokd.decide.economics import within
from autokd.decide.explain.why_weak import WHY_WEAK
from autokd.decide.policy import Judgement
from autokd.decide.policy_limits import affordable
from autokd.decide.sensitivity import flips_within
from autokd.naming import named, set_to
from autokd.records import CostModel, Policy, PriceRange, ServedForm

LEAST_LOOKED_AT = 0.5  # share of the candidates that have to be looked at
MOST_COPIES = 0.001  # of the test images; the accuracies that are compared are no closer than that


def flaws(judged: Judgement) -> tuple[str, ...]:
    """A sentence each, with what is needed."""
    sources = (_weights_seen, _untried, _few_seeds, _unfinished, _borrowed, _other_forms)
    return (*fixed_flaws(judged.comparison), *(sentence for source in sources for sentence in source(judged)))


def fixed_flaws(comparison: Comparison) -> tuple[str, ...]:
    """Those that do not depend on what is asked."""
    sources = (_trouble, _teacher_seen, _copies, _not_looked_at, _perhaps_too_slow)
    return tuple(sentence for source in sources for sentence in source(comparison))


# ---- whatever is asked -----------------------------------------------------------------------------------------


def _trouble(comparison: Comparison) -> Iterator[str]:
    """What went wrong in the search; an arm that was tried and has no finalist."""
    search = comparison.evidence.search
    yield from (note.text for note in search.notes)
    if search.trials and not search.notes:
        for arm in ("distill", "direct"):
            if not any(student.arm == arm for student in comparison.students):
                yield f"The {arm} arm has no finalist, so there is nothing to compare. Needed: more trials."


def _teacher_seen(comparison: Comparison) -> Iterator[str]:
    """The teacher may have been trained on test images that were cut from training."""
    evidence = comparison.evidence
    if evidence.teacher.own_weights and not evidence.task.test_is_separate:
        yield (
            f"{evidence.teacher.name} came with its own weights. It may have been trained on images that are now test "
            "images. Needed: a separate test/ folder."
        )


def _copies(comparison: Comparison) -> Iterator[str]:
    """What was learnt by heart counts for whoever learns by heart best."""
    for copies in comparison.evidence.task.copies:
        if copies.part == "test" and copies.count > MOST_COPIES * copies.images:
            yield (
                f"{copies.count:,} of {copies.images:,} test images are copies of training images. Needed: a test part "
                "without them."
            )


def _not_looked_at(comparison: Comparison) -> Iterator[str]:
    search = comparison.evidence.search
    if 0 < search.looked_at < LEAST_LOOKED_AT * search.candidates:
        yield (
            f"The search looked at {search.looked_at} of {search.candidates} students only. Needed: a new search with "
            "more time."
        )


def _perhaps_too_slow(comparison: Comparison) -> Iterator[str]:
    """A capacity of 0 at the slow end of its interval: there a model cannot meet the latency limit at all."""
    offers = (*comparison.forms, *comparison.students)
    found = [(offer.name, offer.reading.capacity_interval) for offer in offers]
    names = [name for name, capacity in found if capacity and capacity.mean > 0 and not capacity.low > 0]
    if names:
        yield (
            f"The timings of {fmt.listed(list(dict.fromkeys(names)))} do not show that a request meets the latency "
            "limit at all. Needed: another reading of the costs on an idle machine, or a wider limit."
        )


# ---- by what is asked ------------------------------------------------------------------------------------------


def _weights_seen(judged: Judgement) -> Iterator[str]:
    own = [s.name for s in judged.picks if may_have_seen_test(judged.comparison, s)]
    if own:
        yield WHY_WEAK["weights_seen"].format(names=fmt.listed(list(dict.fromkeys(own))))


def may_have_seen_test(comparison: Comparison, student: Student) -> bool:
    """Whether a student's start weights may have been trained on test images that were cut from training."""
    weights = student.record.weights
    return weights is not None and weights.as_is and not comparison.evidence.task.test_is_separate


def _untried(judged: Judgement) -> Iterator[str]:
    budget, asked = judged.comparison.evidence.budget, judged.policy.max_cost
    if budget is not None and not within(asked, budget):
        yield WHY_WEAK["untried"].format(budget=fmt.usd(budget), setting=set_to("max_cost", asked))


def _few_seeds(judged: Judgement) -> Iterator[str]:
    rests = {s.number: s for s in (*judged.picks, judged.twin) if s is not None}
    single = [f"finalist {s.number} ({s.name})" for s in rests.values() if has_one_seed(s)]
    if single:
        finalists = fmt.listed(single)
        yield WHY_WEAK["one_seed"].format(finalists=f"{finalists[0].upper()}{finalists[1:]}")


def has_one_seed(student: Student) -> bool:
    """Whether other seeds of a trained student would be needed and are missing."""
    return student.accuracy.seeds < 2 and student.record.recipe.epochs > 0


def _unfinished(judged: Judgement) -> Iterator[str]:
    """The best student was still improving, and the verdict is to take none."""
    affordable_ones = [s for s in judged.comparison.students if affordable(s, judged.policy) and s.record.recipe.epochs]
    if judged.pick is None and affordable_ones:
        best = max(affordable_ones, key=lambda s: (s.val_accuracy, -s.number))
        if sentence := still_improving(judged.comparison, best, judged.policy):
            yield sentence


def still_improving(comparison: Comparison, student: Student, policy: Policy) -> str | None:
    """That the most accurate student may yet become good enough, in a sentence; None where it was done."""
    how = _gaining(comparison, student, policy.max_regret)
    twice = set_to("epochs", 2 * student.record.recipe.epochs)
    return how and (
        f"The most accurate student, {student.name}, {how}, so it may yet be enough. Needed: a search with {twice}."
    )


def _borrowed(judged: Judgement) -> Iterator[str]:
    """A price of another machine than was measured, where the right one may flip the verdict.

    The right one is taken to lie in the range of the table's prices for machines of that kind and size: which of them
    was measured is not known, but it is one of them.
    """
    for dial, setting, span in borrowed_prices(judged.comparison.evidence.cost_model):
        if flips := flips_within(judged, dial, span):
            nearest = min(flips, key=lambda change: change.effort)
            yield borrowed_sentence(setting, span, nearest.clause)


def borrowed_prices(model: CostModel) -> Iterator[tuple[str, str, PriceRange]]:
    """Prices of other machines than were measured: dial, setting, and the range that the right one lies in."""
    if not model.has_load:
        return
    for dial, setting, price in (
        ("price", "price_per_hour", model),
        ("teacher_price", "teacher_price_per_hour", model.teacher_price),
    ):
        if price is not None and price.price_origin == "borrowed" and price.price_range is not None:
            yield dial, setting, price.price_range


def borrowed_sentence(setting: str, span: PriceRange, clause: str) -> str:
    """That the right price may flip the verdict; `clause` says where."""
    low, high = fmt.usd(span.low), fmt.usd(span.high)
    return WHY_WEAK["borrowed"].format(low=low, high=high, clause=clause, setting=named(setting))


def _other_forms(judged: Judgement) -> Iterator[str]:
    """The verdict would be another one if teacher and picks stood each in its best form."""
    if not judged.comparison.evidence.student_forms:
        return
    other = judge_in_best_forms(judged.comparison, judged.policy)
    if other.verdict == judged.verdict:
        return
    standing = [student for student in other.comparison.students if isinstance(student, StudentInForm)]
    told = [student for student in standing if student is other.pick] or standing
    yield WHY_WEAK["other_forms"].format(
        served=fmt.listed([served_words(student).format(cost=fmt.usd(student.cost.mean)) for student in told]),
        verdict=fmt.CONCLUSIONS[other.verdict],
        commands=fmt.listed([export_command(student) for student in told]),
        it="it" if len(told) == 1 else "them",
    )


def served_words(student: StudentInForm) -> str:
    """A student in a form, with a gap for its cost."""
    form = student.form
    return WHY_WEAK["served"].format(
        number=student.number,
        name=student.name.replace("{", "{{").replace("}", "}}"),
        form=form.words,
        cost="{cost}",
        accuracy=fmt.percent(form.test_accuracy),
        noisy=", a noisy reading" if form.reading.noisy else "",
    )


def export_command(student: StudentInForm) -> str:
    """What writes a student in its form."""
    return f"`autokd export RUN --finalist {student.number} {_export_options(student.form)}`"


def _export_options(form: ServedForm) -> str:
    if form.runtime != "onnxruntime":
        return "--format timm"
    return "--format onnx --precision int8" if form.precision == "int8" else "--format onnx"


def _gaining(comparison: Comparison, student: Student, most: float) -> str | None:
    """How it shows that longer training would gain more than `most`; None where it does not."""
    record = student.record
    length = _epochs(record.recipe.epochs)
    if record.late_gain is None:
        return f"was trained for {length}, too few to tell whether it was done"
    if record.late_gain > most:
        return f"gained {_points(record.late_gain)} on validation in the last quarter of {length}"
    shorter = [
        other.val_accuracy
        for other in comparison.arm(student.arm)
        if other.name == student.name and other.record.recipe.epochs < record.recipe.epochs
    ]
    gained = student.val_accuracy - max(shorter, default=student.val_accuracy)
    return f"gained {_points(gained)} on validation by training longer" if gained > most else None


def _points(share: float) -> str:
    return fmt.points(share).removeprefix("+")


def _epochs(count: int) -> str:
    return f"{count} epoch{'s' if count > 1 else ''}"
