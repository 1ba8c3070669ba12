"""The arrays of a run folder: evidence.npz, and the logits and outcomes of every training of a finalist.

Nothing that is read may hold Python objects, so reading executes nothing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from autokd.errors import RunError
from autokd.files import write_bytes
from autokd.metrics import Correct, Labels, Logits
from autokd.runs.store import remedy

EVIDENCE = "evidence.npz"
TEACHER_FORMS, STUDENT_FORMS = "teacher_forms.npz", "student_forms.npz"
OUTCOMES = "test_correct.npy"
Part = Literal["val", "test"]


def write_evidence(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write evidence.npz: indices of the splits, labels and the teacher's logits of validation and test images."""
    correct = arrays["teacher_test_logits"].argmax(1) == arrays["test_labels"]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays, teacher_test_correct=correct)
    write_bytes(folder / EVIDENCE, buffer.getvalue())


def read_labels(folder: Path, part: Part) -> Labels:
    """[images] classes of the images of a part; raises RunError where they cannot be read."""
    labels = _evidence(folder, f"{part}_labels")
    if labels.ndim != 1 or len(labels) < 2 or not np.issubdtype(labels.dtype, np.integer):
        raise RunError(f"{folder / EVIDENCE} does not hold {part} labels; {remedy()}")
    return labels.astype(np.int64)


def read_teacher_correct(folder: Path, images: int) -> Correct:
    """[images] which test images the teacher gets right; raises RunError where that cannot be read."""
    return _outcomes(folder / EVIDENCE, _evidence(folder, "teacher_test_correct"), images)


def read_teacher_logits(folder: Path, images: int) -> Logits:
    """[images, classes] of the test images; raises RunError where they cannot be read."""
    return _logits(folder / EVIDENCE, _evidence(folder, "teacher_test_logits"), images)


def write_forms_correct(path: Path, outcomes: Mapping[str, Correct]) -> None:
    """Write teacher_forms.npz or student_forms.npz: [images] by the key of a form, which test images it gets right."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **outcomes)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def read_form_correct(path: Path, form: str, images: int) -> Correct:
    """[images] which test images are right in a form; raises RunError where that cannot be read."""
    return _outcomes(path, _member(path, form), images)


def logits_path(folder: Path, part: Part) -> Path:
    """Where a training's logits lie."""
    return folder / f"{part}_logits.npy"


def write_logits(folder: Path, part: Part, logits: NDArray[Any]) -> None:
    """Write one training's logits, [images, classes]."""
    _save(logits_path(folder, part), logits)


def read_logits(folder: Path, part: Part, images: int) -> Logits:
    """[images, classes] of one training; raises RunError where they cannot be read."""
    path = logits_path(folder, part)
    return _logits(path, _array(path), images)


def write_correct(folder: Path, correct: Correct) -> None:
    """Write which test images one training gets right, [images]."""
    _save(folder / OUTCOMES, correct)


def read_correct(folder: Path, images: int) -> Correct:
    """[images] which test images one training gets right; raises RunError where that cannot be read."""
    return _outcomes(folder / OUTCOMES, _array(folder / OUTCOMES), images)


def _save(path: Path, array: NDArray[Any]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getvalue())


def _evidence(folder: Path, name: str) -> NDArray[Any]:
    return _member(folder / EVIDENCE, name)


def _member(path: Path, name: str) -> NDArray[Any]:
    """One array of an archive."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found: NDArray[Any] = arrays[name]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RunError(f"{path} cannot be read ({error}); {remedy()}") from None
    return found


def _array(path: Path) -> NDArray[Any]:
    try:
        content: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RunError(f"{path} cannot be read ({error}); {remedy()}") from None
    return content


def _outcomes(path: Path, correct: Any, images: int) -> Correct:
    if not isinstance(correct, np.ndarray) or correct.shape != (images,) or correct.dtype != np.bool_:
        raise RunError(f"{path} does not hold one outcome for each of the {images} test images; {remedy()}")
    return correct


def _logits(path: Path, logits: Any, images: int) -> Logits:
    if not isinstance(logits, np.ndarray) or logits.ndim != 2 or len(logits) != images:
        raise RunError(f"{path} does not hold one row of logits for each of the {images} images; {remedy()}")
    if not np.isfinite(logits).all():
        raise RunError(f"{path} holds logits that are not numbers; {remedy()}")
    return logits
