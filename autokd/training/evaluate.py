"""Evaluation: logits once, every number from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autokd import metrics
from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.data.views import normalise
from autokd.training.device import autocast

BATCH = 256

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


@torch.inference_mode()
def predict(model: nn.Module, data: TaskData, indices: Indices, normalisation: Normalisation, device: str) -> Tensor:
    """Logits float32 [len(indices), classes] on the CPU, in evaluation mode, of the images' centres."""
    was_training = model.training
    model.eval()
    batches = []
    for views in data.clean_views(indices, BATCH):
        inputs = normalise(views, *normalisation)
        with autocast(device):
            batches.append(model(inputs).float())
    model.train(was_training)
    return torch.cat(batches).cpu()


def accuracy(logits: Tensor, labels: Indices) -> float:
    """Share of images whose largest logit is their label's."""
    return metrics.accuracy(logits.numpy(), labels)


def nll(logits: Tensor, labels: Indices, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    return metrics.nll(logits.numpy(), labels, temperature)


def calibrating_temperature(logits: Tensor, labels: Indices) -> float:
    """See metrics.calibrating_temperature."""
    return metrics.calibrating_temperature(logits.numpy(), labels)
