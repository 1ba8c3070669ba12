"""What a verdict is made of: the records of a run, and who got which test image right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from autokd.decide.statistics.intervals import Correct
from autokd.decide.statistics.repeated_looks import LEVEL, level_of_look
from autokd.errors import RunError
from autokd.files import read_json
from autokd.records import CostModel, FinalistRecord, LeftOut, Reading, Record, SearchSummary, Task, Teacher
from autokd.runs.folder import Run

R = TypeVar("R", bound=Record)


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
    budget: float | None = None  # dollars per 1,000 requests of the search itself: dearer students were never tried
    ratios: tuple[float, float] = (5.0, 20.0)  # within which students were distilled
    level: float = LEVEL  # of every interval of accuracies


def read_evidence(run: Run) -> Evidence:
    """The evidence that a run has left in its folder; no finalists at all is a normal content.

    Raises RunError where a file is missing or damaged.
    """
    teacher = _record(run.path / "teacher.json", Teacher)
    model, readings = _costs(run.path / "costs.json", teacher.name)
    finalists = _finalists(run.path / "finalists.json")
    labels, teacher_correct = _test_part(run.evidence_path)
    return Evidence(
        task=_record(run.path / "task.json", Task),
        teacher=teacher,
        teacher_reading=readings[teacher.name],
        cost_model=model,
        finalists=finalists,
        labels=labels,
        teacher_correct=teacher_correct,
        correct={finalist.number: _correct(run, finalist, labels) for finalist in finalists},
        search=_record(run.path / "search.json", SearchSummary),
        nearest=_nearest(run.path / "candidates.json"),
        readings=readings,
        budget=run.settings.max_cost if run.manifest_path.exists() else None,
        ratios=_ratios(run),
        level=level_of_look(len(run.manifest.get("looks", ())) or 1) if run.manifest_path.exists() else LEVEL,
    )


def _ratios(run: Run) -> tuple[float, float]:
    if not run.manifest_path.exists():
        return Evidence.ratios
    return run.settings.min_ratio, run.settings.max_ratio


def _costs(path: Path, teacher: str) -> tuple[CostModel, dict[str, Reading]]:
    content = _mapping(path)
    readings = content.get("readings")
    if not isinstance(readings, dict) or teacher not in readings:
        raise RunError(f"{path} holds no reading of the teacher {teacher}; the run folder is damaged")
    model = _valid(path, content.get("cost_model"), CostModel)
    return model, {name: _valid(path, reading, Reading) for name, reading in readings.items()}


def _finalists(path: Path) -> tuple[FinalistRecord, ...]:
    if not path.exists():
        return ()
    content = read_json(path)
    if not isinstance(content, list):
        raise RunError(f"{path} is no list of finalists; the run folder is damaged")
    finalists = tuple(_valid(path, item, FinalistRecord) for item in content)
    for finalist in finalists:
        if not finalist.seeds:
            raise RunError(f"{path} lists finalist {finalist.number} without a single seed; the run folder is damaged")
    return finalists


def _nearest(path: Path) -> tuple[LeftOut, ...]:
    """Students left out whose cost is known, cheapest first."""
    listed = _mapping(path).get("left_out", [])
    if not isinstance(listed, list):
        raise RunError(f"{path} is damaged: left_out is no list; start the search again in another --output")
    left_out = [_valid(path, item, LeftOut) for item in listed]
    known = [(left.cost_usd_per_1k, left.student, left) for left in left_out if left.cost_usd_per_1k is not None]
    return tuple(left for *_, left in sorted(known, key=lambda row: row[:2]))


def _test_part(path: Path) -> tuple[NDArray[np.int64], Correct]:
    """Labels of the test images, and which of them the teacher gets right; both [images].

    A run says itself what the teacher gets right; its logits, which may be large, are read only where it does not.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays["test_labels"]
            known = arrays.get("teacher_test_correct")
            logits = arrays["teacher_test_logits"] if known is None else None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RunError(f"{path} cannot be read ({error}); the run folder is damaged") from None
    if labels.ndim != 1 or len(labels) < 2 or not np.issubdtype(labels.dtype, np.integer):
        raise RunError(f"{path} holds no list of test labels; the run folder is damaged")
    labels = labels.astype(np.int64)
    correct = _hits(path, logits, labels) if logits is not None else _outcomes(path, known, labels)
    if not correct.any():
        raise RunError(f"{path}: the teacher gets no test image right, so no student can be compared with it")
    return labels, correct


def _correct(run: Run, finalist: FinalistRecord, labels: NDArray[np.int64]) -> Correct:
    """[seeds, images] of one finalist."""
    return np.stack([_seed(run.finalist_path(finalist.number, result.seed), labels) for result in finalist.seeds])


def _seed(folder: Path, labels: NDArray[np.int64]) -> Correct:
    """Which test images one training gets right, from its outcomes, else from its logits; [images]."""
    outcomes, logits = folder / "test_correct.npy", folder / "test_logits.npy"
    return _outcomes(outcomes, _array(outcomes), labels) if outcomes.exists() else _hits(logits, _array(logits), labels)


def _outcomes(path: Path, correct: Any, labels: NDArray[np.int64]) -> Correct:
    if not isinstance(correct, np.ndarray) or correct.shape != labels.shape or correct.dtype != np.bool_:
        raise RunError(f"{path} does not hold one outcome for each of the {len(labels)} test images")
    return correct


def _array(path: Path) -> NDArray[Any]:
    try:
        content: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{path} cannot be read ({error}); the run folder is damaged") from None
    return content


def _hits(path: Path, logits: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> Correct:
    """Whether the largest logit is that of the label; [images]."""
    if not isinstance(logits, np.ndarray) or logits.ndim != 2 or len(logits) != len(labels):
        raise RunError(f"{path} does not hold one row of logits for each of the {len(labels)} test images")
    if not np.isfinite(logits).all():
        raise RunError(f"{path} holds logits that are no numbers; the run folder is damaged")
    return np.asarray(logits.argmax(axis=1) == labels)


def _mapping(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise RunError(f"{path} is damaged: it is no JSON object; start the search again in another --output")
    return content


def _record(path: Path, kind: type[R]) -> R:
    return _valid(path, read_json(path), kind)


def _valid(path: Path, content: Any, kind: type[R]) -> R:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "its content"
        raise RunError(f"{path} holds no {kind.__name__} ({place}: {first['msg']}); the folder is damaged") from None
