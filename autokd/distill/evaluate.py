"""Evaluation: logits once, every number from them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autokd.data.images import Indices
from autokd.data.task import TaskData
from autokd.data.views import clean_view, normalise
from autokd.distill.precision import autocast

BATCH = 256

Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


@torch.inference_mode()
def predict(model: nn.Module, data: TaskData, indices: Indices, normalisation: Normalisation, device: str) -> Tensor:
    """Logits float32 [len(indices), classes] on the CPU, in evaluation mode, of the images' centres."""
    was_training = model.training
    model.eval()
    batches = []
    for images in data.images.batches([indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]):
        inputs = normalise(clean_view(images, data.task.transform), *normalisation)
        with autocast(device):
            batches.append(model(inputs).float())
    model.train(was_training)
    return torch.cat(batches).cpu()


def accuracy(logits: Tensor, labels: Indices) -> float:
    """Share of images whose largest logit is their label's."""
    return float((logits.argmax(1).numpy() == labels).mean())


def nll(logits: Tensor, labels: Indices, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the labels, in nats."""
    return float(F.cross_entropy(logits / temperature, torch.from_numpy(labels)))


def calibrating_temperature(logits: Tensor, labels: Indices) -> float:
    """The temperature in 0.05 to 20 with the lowest NLL (temperature scaling, Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(lambda t: nll(logits, labels, float(np.exp(t))), bounds=(np.log(0.05), np.log(20.0)))
    return float(np.exp(found.x))
