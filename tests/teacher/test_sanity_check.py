"""The first check of a teacher: near chance it is refused, with the likely cause."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autokd.errors import TeacherError
from autokd.teacher.sanity_check import check_teacher, sanity_level

LABELS = np.arange(400) % 10


def right_on(share: float, labels: np.ndarray = LABELS, classes: int = 10) -> torch.Tensor:
    """Logits of a teacher that is right on this share of the images of each class, else one class too high."""
    wrong = np.arange(len(labels)) // classes % 100 >= 100 * share if share < 1 else np.zeros(len(labels), bool)
    answers = (labels + wrong) % classes
    return torch.from_numpy(np.eye(classes)[answers]).float()


def refused(logits: torch.Tensor, labels: np.ndarray = LABELS, origin: str = "loaded from w.pth") -> str:
    with pytest.raises(TeacherError) as caught:
        check_teacher("resnet18", logits, labels, origin)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_teacher_passes_with_its_accuracy():
    assert check_teacher("resnet18", right_on(1.0), LABELS, "loaded") == 1.0
    assert check_teacher("resnet18", right_on(0.3), LABELS, "loaded") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("labels", "level"),
    [
        (np.arange(1000) % 1000, 0.002),
        (np.arange(100) % 10, 0.2),
        (np.arange(100) % 2, 0.6),
        (np.array([0] * 90 + [1] * 10), 0.92),
    ],
)
def test_the_level_is_above_guessing_and_within_reach(labels, level):
    assert sanity_level(labels) == pytest.approx(level)


def test_a_teacher_that_guesses_is_refused_with_causes():
    generator = torch.Generator().manual_seed(0)
    message = refused(torch.randn(400, 10, generator=generator))
    assert "always guessing the most frequent class reaches 10.0% and a usable teacher more than 20.0%" in message
    assert "a head of another task" in message
    assert "teacher_weights='scratch'" in message


def test_a_teacher_that_always_says_the_same_is_refused():
    same = torch.zeros(400, 10)
    same[:, 3] = 1
    assert "right on 10.0%" in refused(same)


def test_a_teacher_trained_here_has_other_causes():
    message = refused(torch.zeros(400, 10), origin="trained here from scratch, 1 epochs")
    assert "raise teacher_epochs" in message
    assert "another order" not in message


def test_classes_in_the_order_of_text_are_diagnosed():
    names = [str(i) for i in range(1, 13)]  # naturally 1, 2, ..., 12
    by_text = sorted(names)
    labels = np.arange(240) % 12
    answers = [by_text.index(names[label]) for label in labels]
    message = refused(torch.from_numpy(np.eye(12)[answers]).float(), labels)
    assert "in another order than the folders (renamed, it is right on 100.0%)" in message


def test_a_poor_teacher_is_not_blamed_on_the_order():
    generator = torch.Generator().manual_seed(1)
    assert "another order" not in refused(torch.randn(400, 10, generator=generator))


def test_logits_that_are_not_finite_are_refused_even_when_right():
    logits = right_on(1.0)
    logits[7, 0] = float("nan")
    assert "not finite in half precision" in refused(logits)
    assert "not finite in half precision" in refused(torch.nan_to_num(logits, nan=1e5, posinf=1e5, neginf=-1e5))
