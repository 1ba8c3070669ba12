"""The training of a teacher: which learning rate it takes and which epoch it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers_images import Recorder
from torch import nn

from autokd.errors import TooLargeError, TrainingError
from autokd.records import EpochReport, Recipe
from autokd.teacher import train as module
from autokd.teacher.train import TeacherTraining, all_epochs, short_epochs, within_time
from autokd.training.loop import Training


def played(monkeypatch: pytest.MonkeyPatch, accuracies: dict[float, list[float]]) -> list[tuple[float, int]]:
    """Trainings that report these accuracies by learning rate; the model holds the number of its last epoch.

    Returns a list of those that are made: rate and epochs asked for.
    """
    made: list[tuple[float, int]] = []

    def train(training: Training) -> Iterator[EpochReport]:
        rate, epochs = training.recipe.learning_rate, training.recipe.epochs
        made.append((rate, epochs))
        assert training.precision == "bf16"
        for epoch, accuracy in enumerate(accuracies[rate][:epochs], start=1):
            if accuracy < 0:
                raise TrainingError("the loss diverged")
            with torch.no_grad():
                training.model.weight.fill_(epoch)
            yield EpochReport(
                epoch=epoch, train_loss=0, val_accuracy=accuracy, val_nll=0, learning_rate=rate, seconds=1.0
            )

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "training_precision", lambda *_: "bf16")
    return made


def training(folder: Path, epochs: int) -> TeacherTraining:
    recipe = Recipe(learning_rate=1e-3, epochs=epochs, batch_size=8)
    data = SimpleNamespace(train=range(100 * 8), shown_size=32)  # an epoch is as long as a short run has to be
    rates = (3e-4, 1e-3, 3e-3)
    return TeacherTraining("net", nn.Linear(1, 1), ((0,), (1,)), data, recipe, folder, "cpu", rates)  # type: ignore[arg-type]


def test_the_best_of_three_rates_is_trained_long_and_its_best_epoch_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = [0.5, 0.8, 0.7, 0.9, 0.9, 0.6, 0.6, 0.6]
    made = played(monkeypatch, {3e-4: [0.3], 1e-3: [0.4], 3e-3: long})
    asked, hearing = training(tmp_path, 8), Recorder()
    found = asked.run(hearing)
    assert made == [(3e-4, 1), (1e-3, 1), (3e-3, 1), (3e-3, 8)]
    assert (found.rate, found.epoch, found.seconds) == (3e-3, 4, 11.0)
    assert asked.model.weight.item() == 4
    assert [step[1:] for step in hearing.steps] == [(number, 11) for number in range(1, 12)]


def test_a_rate_that_diverges_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {3e-4: [0.3] * 8, 1e-3: [-1], 3e-3: [-1]})
    assert training(tmp_path, 8).run(Recorder()).rate == 3e-4


def test_where_all_diverge_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {3e-4: [-1], 1e-3: [-1], 3e-3: [-1]})
    with pytest.raises(TrainingError, match="the loss of net diverged at every learning rate that was tried"):
        training(tmp_path, 8).run(Recorder())


def test_a_schedule_comes_to_its_end_where_most_is_gained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {3e-4: [0.1] * 5, 1e-3: [0.2, 0.5, *[0.4] * 37, 0.6], 3e-3: [0.1] * 5})
    asked = training(tmp_path, 40)
    found = asked.run(Recorder())
    assert found.epoch == 40
    assert asked.model.weight.item() == 40


def test_short_trainings_take_the_usual_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = played(monkeypatch, {1e-3: [0.4]})
    assert training(tmp_path, 1).run(Recorder()).epoch == 1
    assert made == [(1e-3, 1)]
    assert [short_epochs(epochs, 100) for epochs in (0, 1, 4, 16, 90)] == [0, 0, 1, 2, 11]
    assert [short_epochs(epochs, 34) for epochs in (6, 16, 24, 120)] == [0, 0, 3, 15]  # 100 steps at least
    assert [all_epochs(epochs, 100, fine_tuning=True) for epochs in (1, 5, 40)] == [1, 8, 55]


def test_nothing_is_left_of_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {3e-4: [0.3], 1e-3: [0.4] * 8, 3e-3: [0.1]})
    asked = training(tmp_path, 8)
    asked.run(Recorder())
    asked.clear()
    assert not list(tmp_path.iterdir())


def test_a_teacher_that_does_not_fit_is_not_called_diverged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(training: Training) -> Iterator[EpochReport]:
        raise TooLargeError("a batch of 2 images does not fit")
        yield

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "training_precision", lambda *_: "fp32")
    with pytest.raises(TooLargeError, match="does not fit"):
        training(tmp_path, 8).run(Recorder())


@pytest.mark.parametrize(("limit", "epochs"), [(10_000.0, 16), (50.0, 15), (25.0, 7), (5.0, 1), (0.1, 1)])
def test_under_a_time_limit_a_teacher_gets_the_epochs_that_its_share_has_time_for(
    limit: float, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "training_precision", lambda *_: "bf16")
    monkeypatch.setattr(module, "training_seconds_per_image", lambda *asked: {"bf16": 1 / 1_000}[asked[-1]])
    data = SimpleNamespace(train=range(900), val=range(300), shown_size=32)  # one second an epoch
    recipe = Recipe(learning_rate=1e-3, epochs=16, batch_size=8)
    found = within_time(recipe, nn.Linear(1, 1), data, "cpu", limit)  # type: ignore[arg-type]
    assert found == recipe.model_copy(update={"epochs": epochs})
    assert epochs == 1 or all_epochs(epochs, 112, fine_tuning=False) <= 0.4 * limit
