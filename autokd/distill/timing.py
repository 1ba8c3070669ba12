"""How long training takes here, for plans."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import AdamW

from autokd.distill.losses import hard_loss
from autokd.distill.precision import autocast
from autokd.run import Stopwatch

WARM_UP, STEPS = 1, 3


def training_seconds_per_image(model: nn.Module, image_size: int, batch_size: int, device: str) -> float:
    """Device seconds of one image in a training step on made-up data; the model's weights change."""
    model = model.to(device).to(memory_format=torch.channels_last).train()
    optimizer = AdamW(model.parameters(), lr=1e-6, fused=True)
    images = torch.rand(batch_size, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)
    labels = torch.zeros(batch_size, dtype=torch.int64, device=device)
    watch = Stopwatch()
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            watch = Stopwatch()
        with autocast(device):
            scores = model(images)
        hard_loss(scores, labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        float(scores.detach().sum())  # waits for the device
    return watch.seconds / STEPS / batch_size
