"""The first check: a teacher that does no better than guessing is refused, with the likely cause."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autokd.data.image_store import Indices
from autokd.errors import TeacherError
from autokd.naming import named, set_to
from autokd.teacher.origin import FROM_PYTHON
from autokd.training.evaluate import accuracy

EXPLAINED_BY_ORDER = 0.5  # agreement after the best renaming of classes that points to a wrong class order


def sanity_level(labels: Indices) -> float:
    """The accuracy that a usable teacher exceeds: twice that of always guessing the most frequent class, but at
    most a fifth of the way from there to 1."""
    guess = _guess(labels)
    return min(2 * guess, guess + 0.2 * (1 - guess))


def _guess(labels: Indices) -> float:
    return float(np.bincount(labels).max() / len(labels))


def check_teacher(name: str, logits: Tensor, labels: Indices, origin: str) -> float:
    """The teacher's accuracy on validation data (logits [n, classes]); raises TeacherError near chance."""
    found, level = accuracy(logits, labels), sanity_level(labels)
    if not bool((logits.abs() <= torch.finfo(torch.float16).max).all()):
        raise TeacherError(
            f"{name} ({origin}) gives logits that are not finite in half precision; check its weights, "
            f"or give {set_to('device', 'cpu')} where the GPU computes in float16"
        )
    if found > level:
        return found
    raise TeacherError(
        f"{name} ({origin}) is right on {found:.1%} of the validation images, where always guessing the most frequent "
        f"class reaches {_guess(labels):.1%} and a usable teacher more than {level:.1%}; likely causes: "
        f"{_causes(logits, labels, origin)}"
    )


def _causes(logits: Tensor, labels: Indices, origin: str) -> str:
    if origin.startswith("trained"):
        return f"too few epochs or images (raise {named('teacher_epochs')}), or labels that do not fit the images"
    own = "a normalisation or an image size of its own"
    causes = f"weights that are missing or of another task, a head of another task, {own}"
    renamed = _accuracy_with_best_order(logits, labels)
    if renamed > max(EXPLAINED_BY_ORDER, 2 * accuracy(logits, labels)):
        return (
            f"its classes are in another order than the folders (renamed, it is right on {renamed:.1%}): folders sort "
            "naturally here (1, 2, 10), in torchvision by text (1, 10, 2); rename the folders to the weights' order"
        )
    if origin == FROM_PYTHON:
        return f"{causes}; compare it with {named('teacher_size')} and the class folders"
    return (
        f"{causes}; compare {named('teacher')}, {named('teacher_weights')}, {named('teacher_size')} and the class "
        f"folders, fine-tune it with {named('teacher_epochs')}, or use {set_to('teacher_weights', 'scratch')}"
    )


def _accuracy_with_best_order(logits: Tensor, labels: Indices) -> float:
    """Accuracy after the one-to-one renaming of classes that suits the teacher best."""
    from scipy.optimize import linear_sum_assignment

    classes = logits.shape[1]
    hits = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(hits, (logits.argmax(1).numpy(), labels), 1)
    rows, columns = linear_sum_assignment(hits, maximize=True)
    return float(hits[rows, columns].sum() / len(labels))
