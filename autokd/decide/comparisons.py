"""The evidence boiled down to what the policy weighs: one offer for each option, and the paired differences.

Statistics are computed here, once; the policy is then cheap enough to be asked hundreds of times, which is how what
would change the verdict is found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from autokd.decide.class_recall import Recalls
from autokd.decide.economics import repriced
from autokd.decide.evidence import Evidence
from autokd.decide.statistics import intervals
from autokd.decide.statistics.intervals import Estimate
from autokd.decide.statistics.repeated_looks import look_after
from autokd.decide.statistics.seed_variance import SeedVariance, common_variance
from autokd.metrics import Correct
from autokd.records import (
    Arm,
    ClassRecall,
    CostModel,
    FinalistRecord,
    Interval,
    Reading,
    SeededInterval,
    ServedForm,
    beyond_range,
)

T = TypeVar("T", bound="Tested")


@dataclass(frozen=True)
class Offer:
    """One option as the policy sees it: the teacher (`number` and `arm` None) or a finalist."""

    number: int | None
    arm: Arm | None
    name: str
    cost: Interval
    latency_ms: float | None  # p95; None where it was not measured
    retention: Interval
    val_accuracy: float
    reading: Reading


@dataclass(frozen=True)
class Tested(Offer):
    """An option with what the test images say of it."""

    accuracy: SeededInterval
    estimate: Estimate  # of the retention
    flips: SeededInterval  # negative flips, as a share of all test images
    recalls: Recalls
    recall_move: float = field(default=0.0, kw_only=True)  # of the recalls, in a repeat
    recall_width: float = field(default=1.0, kw_only=True)  # of their intervals, as a share, with more evidence

    @property
    def worst(self) -> ClassRecall:
        """The class whose recall is shown to be high least."""
        return self._supposed(self.recalls.worst)

    @property
    def lowest(self) -> ClassRecall:
        """The class whose recall can be high least."""
        return self._supposed(self.recalls.lowest)

    def _supposed(self, one: ClassRecall) -> ClassRecall:
        by, width, recall = self.recall_move, self.recall_width, one.recall
        if not by and width == 1.0:
            return one
        low, high = (recall.mean + by + width * (end - recall.mean) for end in (recall.low, recall.high))
        moved = recall.model_copy(update={"mean": recall.mean + by, "low": low, "high": high})
        return one.model_copy(update={"recall": moved})


@dataclass(frozen=True)
class ServedTeacher(Tested):
    """The teacher in one of the forms in which it can be served; `form` None: that of the run."""

    form: ServedForm | None


@dataclass(frozen=True)
class Student(Tested):
    """A finalist with its statistics."""

    number: int
    arm: Arm
    record: FinalistRecord


@dataclass(frozen=True, eq=False)
class Comparison:
    """What there is to decide on.

    Students are compared with `teacher`; which of its forms that is, a policy says (policy.judge). Retention is always
    a share of the accuracy that the teacher has in the form of the run, `teacher_accuracy`.
    """

    evidence: Evidence
    teacher: ServedTeacher
    forms: tuple[ServedTeacher, ...]  # that of the run first
    teacher_accuracy: SeededInterval
    students: tuple[Student, ...]  # by number
    twins: Mapping[int, int]  # distilled finalist -> its twin
    differences: Mapping[tuple[int, int], Estimate]  # (distilled, direct) -> accuracy of the first minus the second's
    beyond: tuple[Student, ...] = ()  # finalists beyond the range of ratios and their twins: no verdict looks at them
    more_images: float = 1.0  # times as many test images as there are, where that is only supposed

    @property
    def spent_usd(self) -> float:
        """Dollars that the run spent."""
        return self.evidence.search.usd

    def arm(self, arm: Arm) -> tuple[Student, ...]:
        """The finalists of one arm."""
        return tuple(student for student in self.students if student.arm == arm)

    def student(self, number: int) -> Student:
        """A finalist by its number."""
        return next(student for student in self.students if student.number == number)

    def twin_of(self, distilled: Offer) -> Student | None:
        """The twin of a distilled finalist, where it has one."""
        number = self.twins.get(distilled.number) if distilled.number is not None else None
        return None if number is None else self.student(number)

    def at_costs(self, cost_of: Callable[[Offer], Interval]) -> Comparison:
        """The same comparison at other costs."""
        students = tuple(replace(student, cost=cost_of(student)) for student in self.students)
        forms = tuple(replace(form, cost=cost_of(form)) for form in self.forms)
        return replace(self, teacher=forms[0], forms=forms, students=students)

    def with_more(self, images: float = 1.0, seeds: int = 0) -> Comparison:
        """What to expect at equal means of more test images, and of so many seeds of every finalist that is trained.

        More seeds are another look at the same images, with wider intervals; more images are a search of their own.
        """
        level = look_after(self.evidence.level) if seeds else self.evidence.level

        def more(estimate: Estimate) -> Estimate:
            count = max(seeds, estimate.seeds) if estimate.seeds > 1 else estimate.seeds
            return estimate.with_more(images=images, seeds=count, level=level)

        base = self.teacher_accuracy.mean
        forms = (self.forms[0], *(_narrowed(form, more(form.estimate), base) for form in self.forms[1:]))
        return replace(
            self,
            teacher=forms[0],
            forms=forms,
            students=tuple(_narrowed(student, more(student.estimate), base) for student in self.students),
            differences={pair: more(estimate) for pair, estimate in self.differences.items()},
            more_images=self.more_images * images,
        )

    def priced(self, model: CostModel) -> Comparison:
        """The same comparison under another cost model."""
        old = self.evidence.cost_model
        return self.at_costs(
            lambda offer: repriced(offer.reading, old, model.for_teacher if offer.number is None else model)
        )


def compare(evidence: Evidence) -> Comparison:
    """Compute every statistic that the verdict may need."""
    beyond = beyond_range((f.number, f.role, f.twin_of) for f in evidence.finalists)
    common = common_variance(correct for number, correct in evidence.correct.items() if number not in beyond)
    everybody = [_student(evidence, record, common) for record in sorted(evidence.finalists, key=lambda f: f.number)]
    students = tuple(student for student in everybody if student.number not in beyond)
    forms = _forms(evidence)
    return Comparison(
        evidence=_without_spending(evidence, beyond),
        teacher=forms[0],
        forms=forms,
        teacher_accuracy=intervals.accuracy(evidence.teacher_correct[None], evidence.level),
        students=students,
        twins=_twins(students),
        differences={
            (a.number, b.number): intervals.difference(
                evidence.correct[a.number], evidence.correct[b.number], evidence.level, common
            )
            for a in students
            for b in students
            if a.arm == "distill" and b.arm == "direct"
        },
        beyond=tuple(student for student in everybody if student.number in beyond),
    )


def _narrowed(student: T, estimate: Estimate, base: float) -> T:
    """An option with another estimate of its retention; its flips and recalls narrow as much."""
    before, flips = student.estimate.half_width, student.flips
    share = estimate.half_width / before if before else 1.0
    low, high = (flips.mean + (end - flips.mean) * share for end in (flips.low, flips.high))
    return replace(
        student,
        estimate=estimate,
        retention=estimate.cut(0.0, 1 / base),
        flips=flips.model_copy(update={"low": low, "high": high}),
        recall_width=student.recall_width * share,
    )


def _without_spending(evidence: Evidence, beyond: Collection[int]) -> Evidence:
    """The evidence as if nothing had been spent on these finalists, which no student that may be picked has cost."""
    if not beyond:
        return evidence
    search = evidence.search
    seconds = sum(r.device_seconds for f in evidence.finalists if f.number in beyond for r in f.seeds)
    usd = search.usd - seconds / 3600 * evidence.cost_model.train_price_usd_per_hour
    stages = {name: spent - seconds if name == "confirmation" else spent for name, spent in search.stages.items()}
    return replace(evidence, search=search.model_copy(update={"usd": usd, "stages": stages}))


def _forms(evidence: Evidence) -> tuple[ServedTeacher, ...]:
    teacher = evidence.teacher

    def served(form: ServedForm | None, correct: Correct) -> ServedTeacher:
        name = f"{teacher.name} ({form.words})" if form else teacher.name
        val_accuracy = form.val_accuracy if form else teacher.val_accuracy
        reading = form.reading if form else evidence.teacher_reading
        tested = _tested(evidence, correct[None], None)
        return ServedTeacher(
            number=None, arm=None, name=name, val_accuracy=val_accuracy, form=form, **of_reading(reading), **tested
        )

    own = served(None, evidence.teacher_correct)
    certain = Interval(mean=1.0, low=1.0, high=1.0, level=evidence.level)
    others = (served(form, evidence.forms_correct[form.key]) for form in evidence.teacher_forms)
    return replace(own, retention=certain), *others


def _student(evidence: Evidence, record: FinalistRecord, common: SeedVariance | None) -> Student:
    return Student(
        number=record.number,
        arm=record.arm,
        name=record.student,
        val_accuracy=record.val_accuracy,
        record=record,
        **of_reading(record.reading),
        **_tested(evidence, evidence.correct[record.number], common),
    )


def of_reading(reading: Reading) -> dict[str, Any]:
    """What an option has of a reading."""
    latency = reading.latency_ms
    return {"reading": reading, "cost": reading.cost_usd_per_1k, "latency_ms": latency.p95 if latency else None}


def _tested(evidence: Evidence, correct: Correct, common: SeedVariance | None) -> dict[str, Any]:
    """What an option has of the test images; correct: [seeds, images]."""
    estimate = intervals.retention(correct, evidence.teacher_correct[None], evidence.level, common)
    return {
        "retention": estimate.cut(0.0, 1 / float(evidence.teacher_correct.mean())),
        "accuracy": intervals.accuracy(correct, evidence.level, common),
        "estimate": estimate,
        "flips": intervals.accuracy(evidence.teacher_correct & ~correct, evidence.level),
        "recalls": Recalls(correct, evidence.labels, evidence.task.classes, evidence.level),
    }


def _twins(students: tuple[Student, ...]) -> dict[int, int]:
    """Distilled finalist -> its twin, the lowest number where there are several."""
    twins: dict[int, int] = {}
    for student in students:
        for number in student.record.twin_of if student.arm == "direct" else ():
            twins.setdefault(number, student.number)
    return twins
