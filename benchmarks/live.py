"""A distillation with timm's own task and the teacher run at every step, alike in all else to autokd's training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from timm.task import LogitDistillationTask
from torch import nn
from torch.optim import AdamW

from autokd.data.image_store import Indices
from autokd.data.views import normalise
from autokd.training.batches import steps_per_epoch
from autokd.training.device import autocast
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training
from autokd.training.lr_schedule import learning_rate_factor

MAX_GRADIENT_NORM = 1.0  # as in autokd's step


def live_training(training: Training, teacher: nn.Module) -> Iterator[float]:
    """Validation accuracy after each epoch. Same views, order, optimizer, schedule, clipping and precision."""
    data, recipe, model, device = training.data, training.recipe, training.model, training.device
    model.to(device).to(memory_format=torch.channels_last)
    task = LogitDistillationTask(
        model,
        teacher,
        criterion=nn.CrossEntropyLoss(),
        task_loss_weight=1 - recipe.alpha,
        temperature=recipe.temperature,
        device=torch.device(device),
        verbose=False,
    )
    optimizer = AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate, fused=True)
    steps = steps_per_epoch(len(data.train), recipe.batch_size)
    for epoch in range(1, recipe.epochs + 1):
        torch.manual_seed(int(np.random.SeedSequence([training.seed, epoch]).generate_state(1)[0]))
        task.train()
        order = np.random.default_rng([training.seed, epoch]).permutation(len(data.train))
        for step in range(steps):
            for group in optimizer.param_groups:
                done = (epoch - 1) * steps + step
                group["lr"] = recipe.learning_rate * learning_rate_factor(done, recipe.epochs * steps)
            positions = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            _step(training, task, optimizer, data.train[positions], view=epoch - 1)
        logits = predict(model, data, data.val, training.normalisation, device)
        yield accuracy(logits, data.labels[data.val])


def _step(training: Training, task: LogitDistillationTask, optimizer: AdamW, indices: Indices, view: int) -> None:
    data = training.data
    images = data.view(data.images.take(indices), indices, training.views_seed, view)
    labels = torch.from_numpy(data.labels[indices]).to(training.device, non_blocking=True)
    with autocast(training.device):
        loss = task(normalise(images, *training.normalisation), labels)["loss"]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(training.model.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """No weight decay on biases and norms."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
