"""Numbers made of logits, against scikit-learn."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from helpers_images import small_task
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

import autokd.training.evaluate
from autokd.data.views import clean_view, normalise
from autokd.soft_labels.live_teacher import RunningTeacher
from autokd.training.evaluate import accuracy, calibrating_temperature, nll, predict


@pytest.fixture
def scored() -> tuple[torch.Tensor, np.ndarray]:
    generator = np.random.default_rng(4)
    labels = generator.integers(0, 6, 500)
    logits = generator.normal(size=(500, 6)) + 2.0 * np.eye(6)[labels]
    return torch.from_numpy(logits).float(), labels


def test_accuracy_and_nll_are_scikit_learns(scored):
    logits, labels = scored
    assert accuracy(logits, labels) == accuracy_score(labels, logits.argmax(1).numpy())
    for temperature in (0.5, 1.0, 3.0):
        expected = log_loss(labels, (logits / temperature).double().softmax(1).numpy())
        assert nll(logits, labels, temperature) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_recovered(temperature):
    generator = torch.Generator().manual_seed(5)
    honest = torch.randn(20_000, 5, generator=generator) * 2
    labels = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0].numpy()
    assert calibrating_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_a_faultless_teacher_gets_a_temperature_within_bounds():
    labels = np.arange(30) % 3
    assert 0.05 <= calibrating_temperature(torch.from_numpy(np.eye(3)[labels]).float(), labels) < 0.1


class Means(nn.Module):
    """Logits that are the means of the input's channels; counts how often it was in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.trained += self.training
        return images.mean((2, 3))


@pytest.mark.parametrize("size", [7, 256])
def test_predict_is_the_clean_view_in_order_and_in_evaluation_mode(monkeypatch, size):
    monkeypatch.setattr(autokd.training.evaluate, "BATCH", size)
    data = small_task()
    stats = ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    indices = np.array([5, 0, 77, 5, 31, 9, 10, 11, 12])
    model = Means().train()
    found = predict(model, data, indices, stats, "cpu")
    views = normalise(clean_view(data.images.take(indices), data.task.transform), *stats)
    assert torch.allclose(found, views.mean((2, 3)), atol=1e-5)
    assert model.training
    assert model.trained == 0
    assert not predict(model.eval(), data, indices, stats, "cpu").requires_grad
    assert not model.training


def test_predict_takes_the_centre_of_larger_stored_images():
    data = small_task()
    grown = data.task.transform.model_copy(update={"image_size": 24})
    smaller = dataclasses.replace(data, task=data.task.model_copy(update={"transform": grown}))
    centre = data.images.take(np.array([3]))[:, :, 4:28, 4:28].float() / 255
    found = predict(Means(), smaller, np.array([3]), ((0.0,) * 3, (1.0,) * 3), "cpu")
    assert torch.allclose(found, centre.mean((2, 3)), atol=1e-5)


class Small(Means):
    """On a device that holds so many images; remembers its batches."""

    def __init__(self, limit: int, error: str = "CUDA out of memory") -> None:
        super().__init__()
        self.limit, self.error, self.batches = limit, error, list[int]()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(images))
        if len(images) > self.limit:
            raise RuntimeError(self.error)
        return super().forward(images)


PLAIN = ((0.0,) * 3, (1.0,) * 3)


@pytest.mark.parametrize("error", ["CUDA out of memory", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"])
def test_a_batch_that_does_not_fit_is_evaluated_in_halves_and_so_are_all_later_ones(monkeypatch, error):
    monkeypatch.setattr(autokd.training.evaluate, "BATCH", 10)
    data, indices = small_task(), np.arange(24)
    model = Small(3, error)
    assert torch.equal(predict(model, data, indices, PLAIN, "cpu"), predict(Means(), data, indices, PLAIN, "cpu"))
    assert model.batches == [10, 5, 3, 3, 3, 1, 3, 3, 3, 1, 3, 1]


def test_a_single_image_that_does_not_fit_and_other_errors_are_raised():
    data = small_task()
    for model in (Small(0), Small(3, "expected more pixels")):
        with pytest.raises(RuntimeError, match=model.error):
            predict(model, data, np.arange(8), PLAIN, "cpu")


def test_a_teacher_computes_its_logits_in_halves_where_it_must():
    images, model = torch.rand(7, 3, 8, 8), Small(4)
    found = RunningTeacher(model, PLAIN, "cpu").scores(images)
    assert torch.allclose(found, images.mean((2, 3)))
    assert model.batches == [7, 4, 3]
