"""What a verdict is made of: the records of a run, and who got which test image right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autokd.decide.statistics.repeated_looks import level_of_look
from autokd.errors import RunError
from autokd.metrics import Correct
from autokd.records import (
    LEVEL,
    CostModel,
    FinalistRecord,
    LeftOut,
    Reading,
    SearchSummary,
    ServedForm,
    StudentForms,
    Task,
    Teacher,
)
from autokd.runs.arrays import (
    STUDENT_FORMS,
    TEACHER_FORMS,
    read_correct,
    read_form_correct,
    read_labels,
    read_teacher_correct,
)
from autokd.runs.folder import Run
from autokd.runs.store import CANDIDATES, COSTS, SEARCH, TASK, TEACHER, read_finalists, remedy


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that `decide` looks at; nothing in it depends on what the user asks of the verdict.

    `labels` (an index into the task's classes) and `teacher_correct` are [images]; `correct` maps a finalist's number
    to [seeds, images], seeds in its record's order.
    """

    task: Task
    teacher: Teacher
    teacher_reading: Reading
    cost_model: CostModel
    finalists: tuple[FinalistRecord, ...]
    labels: NDArray[np.int64]
    teacher_correct: Correct
    correct: dict[int, Correct]
    search: SearchSummary
    nearest: tuple[LeftOut, ...]  # students that were not trained but whose cost is known, cheapest first
    readings: Mapping[str, Reading] = field(default_factory=dict)  # of every model that was measured, by its name
    drift: float = (
        1.0  # of the machine's speed over the run: every cost is uncertain by this factor, their ratios are not
    )
    teacher_forms: tuple[ServedForm, ...] = ()  # other than that of the run
    forms_correct: Mapping[str, Correct] = field(default_factory=dict)  # by the key of a form: [images]
    student_forms: tuple[StudentForms, ...] = ()
    student_forms_correct: Mapping[str, Correct] = field(default_factory=dict)  # by StudentForms.key: [images]
    budget: float | None = None  # dollars per 1,000 requests, of the search: nothing above it was tried
    ratios: tuple[float, float] = (5.0, 20.0)  # within which students were distilled
    level: float = LEVEL  # of every interval of accuracies


def read_evidence(run: Run) -> Evidence:
    """The evidence that a run has left in its folder; no finalists at all is a normal content.

    Raises RunError where a file is missing, damaged or altered, and where outcomes and accuracies disagree.
    """
    run.check_files()
    manifest, teacher, costs = run.manifest, TEACHER.read(run.path), COSTS.read(run.path)
    if teacher.name not in costs.readings:
        raise RunError(f"{COSTS.path(run.path)} holds no reading of the teacher {teacher.name}; it is damaged")
    finalists = read_finalists(run.path)
    labels = read_labels(run.path, "test")
    teacher_correct = read_teacher_correct(run.path, len(labels))
    if not teacher_correct.any():
        raise RunError(f"{run.path}: the teacher gets no test image right, so no student can be compared with it")
    evidence = Evidence(
        task=TASK.read(run.path),
        teacher=teacher,
        teacher_reading=costs.readings[teacher.name],
        cost_model=costs.cost_model,
        finalists=finalists,
        labels=labels,
        teacher_correct=teacher_correct,
        correct={finalist.number: _correct(run, finalist, len(labels)) for finalist in finalists},
        search=SEARCH.read(run.path),
        nearest=_nearest(CANDIDATES.read(run.path).left_out),
        readings=costs.readings,
        drift=costs.drift or 1.0,
        teacher_forms=costs.teacher_forms,
        forms_correct={
            form.key: read_form_correct(run.path / TEACHER_FORMS, form.key, len(labels)) for form in costs.teacher_forms
        },
        student_forms=costs.student_forms,
        student_forms_correct={
            (key := forms.key(form)): read_form_correct(run.path / STUDENT_FORMS, key, len(labels))
            for forms in costs.student_forms
            for form in forms.forms
        },
        budget=manifest.settings.max_cost,
        ratios=(manifest.settings.min_ratio, manifest.settings.max_ratio),
        level=level_of_look(len(manifest.looks) or 1),
    )
    _check_seeds(run, evidence)
    _check_accuracies(run, evidence)
    return evidence


def _check_seeds(run: Run, evidence: Evidence) -> None:
    """Raises RunError where a form is one of weights that no finalist has."""
    trained = {(finalist.number, result.seed) for finalist in evidence.finalists for result in finalist.seeds}
    for known in evidence.student_forms:
        if (known.finalist, known.seed) not in trained:
            raise RunError(
                f"{COSTS.path(run.path)} has forms of finalist {known.finalist}, seed {known.seed}, and there is no "
                f"such training; {remedy()}"
            )


def _check_accuracies(run: Run, evidence: Evidence) -> None:
    """Raises RunError where the stored outcomes of an image by image do not add up to the stored accuracy."""
    told = [(evidence.teacher.name, evidence.teacher.test_accuracy, evidence.teacher_correct)]
    told += [
        (f"the teacher as {form.words}", form.test_accuracy, evidence.forms_correct[form.key])
        for form in evidence.teacher_forms
    ]
    told += [
        (
            f"finalist {known.finalist} (seed {known.seed}) as {form.words}",
            form.test_accuracy,
            evidence.student_forms_correct[known.key(form)],
        )
        for known in evidence.student_forms
        for form in known.forms
    ]
    for finalist in evidence.finalists:
        for result, correct in zip(finalist.seeds, evidence.correct[finalist.number], strict=True):
            told.append((f"finalist {finalist.number} (seed {result.seed})", result.test_accuracy, correct))
    for name, accuracy, correct in told:
        if abs(accuracy - correct.mean()) > 1e-6:
            raise RunError(
                f"{run.path}: {name} has a test accuracy of {accuracy:.2%} on record, but {correct.mean():.2%} of its "
                f"outcomes on the test images are right, so one of them was altered; {remedy()}"
            )


def _correct(run: Run, finalist: FinalistRecord, images: int) -> Correct:
    """[seeds, images] of one finalist."""
    folders = [run.finalist_path(finalist.number, result.seed) for result in finalist.seeds]
    return np.stack([read_correct(folder, images) for folder in folders])


def _nearest(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """Students left out whose cost is known, cheapest first."""
    known = [(left.cost_usd_per_1k, left.student, left) for left in left_out if left.cost_usd_per_1k is not None]
    return tuple(left for *_, left in sorted(known, key=lambda row: row[:2]))
