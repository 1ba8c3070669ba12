"""Evaluation: logits once, every number from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autokd import metrics
from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.data.views import normalise
from autokd.precision import Precision
from autokd.training.device import autocast
from autokd.training.halving import Halves

BATCH = 256

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


@torch.inference_mode()
def predict(
    model: nn.Module,
    data: TaskData,
    indices: Indices,
    normalisation: Normalisation,
    device: str,
    precision: Precision | None = None,
) -> Tensor:
    """Logits float32 [len(indices), classes] on the CPU, in evaluation mode, of the images' centres.

    precision: of autocast; None: that which the device gains from.
    """

    def forward(views: Tensor) -> Tensor:
        with autocast(device, precision):
            logits: Tensor = model(normalise(views, *normalisation))
        return logits.float()

    was_training = model.training
    model.eval()
    halves = Halves()
    logits = [halves.run(forward, views) for views in data.clean_views(indices, BATCH)]
    model.train(was_training)
    return torch.cat(logits).cpu()


def accuracy(logits: Tensor, labels: Indices) -> float:
    """Share of images whose largest logit is their label's."""
    return metrics.accuracy(logits.numpy(), labels)


def nll(logits: Tensor, labels: Indices, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    return metrics.nll(logits.numpy(), labels, temperature)


def calibrating_temperature(logits: Tensor, labels: Indices) -> float:
    """See metrics.calibrating_temperature."""
    return metrics.calibrating_temperature(logits.numpy(), labels)
