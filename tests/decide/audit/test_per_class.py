"""A student class by class, by hand on few images."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import Made, made_record

from autokd.decide.audit.per_class import by_class
from autokd.records import ClassAudit, FinalistRecord

NAMES = ("cat", "dog", "fox")


def record(correct: np.ndarray, val: tuple[float, ...]) -> FinalistRecord:  # type: ignore[type-arg]
    made = made_record(Made(1, "distill", 0.9, seeds=len(correct)), correct)
    seeds = tuple(s.model_copy(update={"val_accuracy": v}) for s, v in zip(made.seeds, val, strict=True))
    return made.model_copy(update={"seeds": seeds})


@pytest.fixture
def small() -> ClassAudit:
    """Three cats and two dogs, no fox; of two seeds the second is better on validation."""
    labels = np.array([0, 0, 0, 1, 1])
    teacher = np.array([True, True, False, True, True])
    correct = np.array([[True, True, True, True, True], [True, False, True, False, True]])
    return by_class("distilled", record(correct, (0.8, 0.9)), correct, teacher, labels, NAMES)


def test_recall_and_flips_are_those_of_the_shipped_seed(small: ClassAudit) -> None:
    cat, dog, _ = small.rows
    assert small.seed == 101
    assert (cat.images, cat.teacher_recall, cat.negative_flips, cat.positive_flips) == (3, 2 / 3, 1, 1)
    assert (dog.images, dog.teacher_recall, dog.negative_flips, dog.positive_flips) == (2, 1.0, 1, 0)
    assert cat.recall is not None and cat.recall.mean == pytest.approx(2 / 3)
    assert (cat.recall.low, cat.recall.high) == pytest.approx((0.2077, 0.9385), abs=1e-4)
    assert small.lowest == "dog"


def test_means_are_over_seeds(small: ClassAudit) -> None:
    cat, dog, _ = small.rows
    assert (cat.mean_negative_flips, cat.mean_positive_flips) == (0.5, 1.0)
    assert (dog.mean_negative_flips, dog.mean_positive_flips) == (0.5, 0.0)


def test_a_class_without_images_has_no_recall_and_no_test(small: ClassAudit) -> None:
    fox = small.rows[2]
    assert (fox.images, fox.recall, fox.teacher_recall, fox.p) == (0, None, None, None)
    assert (small.worse, small.better) == ((), ())


def test_a_class_that_loses_and_one_that_wins_are_found() -> None:
    labels = np.repeat([0, 1, 2], 40)
    teacher, student = np.ones(120, dtype=bool), np.ones((1, 120), dtype=bool)
    student[0, :12] = False  # 12 cats lost
    teacher[40:52] = False  # 12 dogs won
    student[0, 80:83] = False  # 3 foxes lost: too few to tell
    found = by_class("direct", record(student, (0.9,)), student, teacher, labels, NAMES)
    assert (found.worse, found.better) == (("cat",), ("dog",))
    # exact tests: 2 / 2^12 twice, 2 / 2^3; Holm multiplies the two smallest by 3 and 2 and keeps the order
    assert [row.p for row in found.rows] == pytest.approx([6 / 4096, 6 / 4096, 0.25])


def test_a_thousand_classes_are_quick_and_equal_models_never_differ() -> None:
    rng = np.random.default_rng(1)
    labels, names = rng.integers(0, 1_000, 20_000), tuple(map(str, range(1_000)))
    hardness = rng.random(20_000)
    correct = hardness + rng.normal(0, 0.1, (3, 20_000)) < 0.8
    teacher = hardness + rng.normal(0, 0.1, 20_000) < 0.8
    found = by_class("twin", record(correct, (0.9, 0.9, 0.9)), correct, teacher, labels, names)
    assert len(found.rows) == 1_000
    assert (found.worse, found.better) == ((), ())
    assert sum(row.images for row in found.rows) == 20_000
    assert found.seed == 100  # of equals the lowest seed is shipped
