"""Two experiments that a wrong loss or a wrong comparison does not survive, on really trained networks.

Hinton, Vinyals, Dean 2015, section 3: a student that has never seen a class learns it from the teacher's soft labels.
And an A/A test: what differs only by the seed must hardly ever be called different.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from helpers_images import prepared, settings
from torch import nn

import autokd.training.step
from autokd.data.task import TaskData
from autokd.data.views import normalise
from autokd.decide.statistics.intervals import difference
from autokd.records import Recipe
from autokd.training.evaluate import predict
from autokd.training.loop import Training, train
from autokd.training.losses import training_loss

MISSING = 3
STATS = ((0.5,) * 3, (0.5,) * 3)
TEACHER = Recipe(learning_rate=5e-3, epochs=12, batch_size=32)
STUDENT = Recipe(learning_rate=5e-3, epochs=20, batch_size=32)
DISTILLED = STUDENT.model_copy(update={"temperature": 8.0, "alpha": 1.0})


def network(width: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 4, stride=4),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * width * 16, 10),
    )


class Live:
    """See TeacherLogits; asks the network itself."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()

    @torch.no_grad()
    def logits(self, view, positions, images):
        """See TeacherLogits."""
        return self.model(normalise(images, *STATS))


def trained(data: TaskData, model: nn.Module, recipe: Recipe, seed: int = 1, teacher: Live | None = None) -> nn.Module:
    list(train(Training(data, model, STATS, recipe, seed, views_seed=3, device="cpu", teacher=teacher)))
    return model


def logits(model: nn.Module, data: TaskData, indices: np.ndarray) -> np.ndarray:
    return predict(model, data, indices, STATS, "cpu").numpy()


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> TaskData:
    return prepared(settings(cache_dir=tmp_path_factory.mktemp("digits")))


@pytest.fixture(scope="module")
def teacher(digits) -> Live:
    return Live(trained(digits, network(48, 0), TEACHER))


def without_threes(digits: TaskData) -> TaskData:
    return dataclasses.replace(digits, train=digits.train[digits.labels[digits.train] != MISSING])


def threes_found(model: nn.Module, digits: TaskData, corrected: bool) -> float:
    """Recall of the missing class; `corrected` by the bias that calls as many validation images threes as there are."""
    answers = logits(model, digits, digits.test).copy()
    if corrected:
        val = logits(model, digits, digits.val)
        margin = np.delete(val, MISSING, axis=1).max(1) - val[:, MISSING]
        answers[:, MISSING] += np.quantile(margin, (digits.labels[digits.val] == MISSING).mean())
    threes = digits.labels[digits.test] == MISSING
    return float((answers[threes].argmax(1) == MISSING).mean())


def test_a_distilled_student_recovers_a_class_that_it_has_never_seen(digits, teacher):
    student = trained(without_threes(digits), network(16, 7), DISTILLED, teacher=teacher)
    assert threes_found(student, digits, corrected=True) > 0.85


def test_a_direct_student_finds_none_of_it(digits):
    student = trained(without_threes(digits), network(16, 7), STUDENT)
    assert threes_found(student, digits, corrected=False) == 0.0
    assert threes_found(student, digits, corrected=True) < 0.7


def test_with_alpha_the_wrong_way_round_the_class_stays_unknown(digits, teacher, monkeypatch):
    def swapped(student, labels, soft, temperature, alpha, *rest, **more):
        return training_loss(student, labels, soft, temperature, 1 - alpha, *rest, **more)

    monkeypatch.setattr(autokd.training.step, "training_loss", swapped)
    student = trained(without_threes(digits), network(16, 7), DISTILLED, teacher=teacher)
    assert threes_found(student, digits, corrected=False) == 0.0


@pytest.mark.slow
def test_two_arms_with_one_recipe_are_called_different_in_at_most_one_of_twenty_comparisons(digits, teacher):
    """60 distilled trainings that differ by their seed; every comparison draws three of them for either arm."""
    changed = {"epochs": 3, "temperature": 4.0, "alpha": 0.9, "learning_rate": 1e-2, "batch_size": 64}
    recipe = STUDENT.model_copy(update=changed)
    labels = digits.labels[digits.test]
    some = dataclasses.replace(digits, train=digits.train[::2], val=digits.val[:60])
    models = (trained(some, network(6, seed), recipe, seed, teacher) for seed in range(60))
    correct = np.stack([logits(model, digits, digits.test).argmax(1) == labels for model in models])
    assert 0.3 < correct.mean() < 0.97
    assert correct.mean(1).std() > 0.005  # seeds do differ
    random = np.random.default_rng(0)
    draws = (random.permutation(60)[:6] for _ in range(1000))
    called = [_apart(correct[draw[:3]], correct[draw[3:]]) for draw in draws]
    assert np.mean(called) <= 0.05


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    found = difference(a, b).difference
    return not found.low <= 0 <= found.high


def test_a_real_difference_is_called_one(digits, teacher):
    """The same comparison sees what it should: students that were trained for longer."""
    labels = digits.labels[digits.test]
    arms = []
    for epochs, seeds in ((1, (1, 2, 3)), (12, (4, 5, 6))):
        recipe = STUDENT.model_copy(update={"epochs": epochs, "temperature": 4.0, "alpha": 0.9})
        models = [trained(digits, network(6, seed), recipe, seed, teacher) for seed in seeds]
        arms.append(np.stack([logits(model, digits, digits.test).argmax(1) == labels for model in models]))
    assert all(_apart(a, b) for a, b in itertools.permutations(arms))
