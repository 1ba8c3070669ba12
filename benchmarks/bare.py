"""Bare work: a training step, or a forward pass, on one batch of made-up numbers that lies ready on the device."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW

from autokd.training.device import autocast


class BareStep:
    """Forward, backward, optimizer: no data, no schedule, no clipping, no bookkeeping."""

    def __init__(self, model: nn.Module, classes: int, image_size: int, batch_size: int, device: str) -> None:
        self._model = model.to(device).to(memory_format=torch.channels_last).train()
        self._optimizer = AdamW(model.parameters(), lr=1e-4, weight_decay=0.05, fused=True)
        self._images = resident_batch(batch_size, image_size, device)
        self._labels = torch.arange(batch_size, device=device) % classes
        self._device = device

    def run(self, steps: int) -> None:
        """So many steps."""
        for _ in range(steps):
            with autocast(self._device):
                logits = self._model(self._images)
            loss = F.cross_entropy(logits.float(), self._labels)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()


class BareForward:
    """The teacher's share of a step: forward in evaluation mode, without gradients."""

    def __init__(self, model: nn.Module, image_size: int, batch_size: int, device: str) -> None:
        self._model = model.to(device).to(memory_format=torch.channels_last).eval()
        self._images = resident_batch(batch_size, image_size, device)
        self._device = device

    @torch.no_grad()
    def run(self, steps: int) -> None:
        """So many batches."""
        for _ in range(steps):
            with autocast(self._device):
                self._model(self._images)


def resident_batch(batch_size: int, image_size: int, device: str) -> torch.Tensor:
    """float32 [n, 3, S, S], as if normalised already, channels last."""
    images = torch.randn(batch_size, 3, image_size, image_size, device=device)
    return images.to(memory_format=torch.channels_last)
