"""The training loop: one student, one recipe, one seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from autokd.data.images import Indices
from autokd.data.task import TaskData
from autokd.data.views import make_view, normalise
from autokd.distill.checkpoint import load_checkpoint, save_checkpoint
from autokd.distill.evaluate import Normalisation, accuracy, nll, predict
from autokd.distill.losses import training_loss
from autokd.distill.precision import autocast
from autokd.distill.schedule import learning_rate_factor
from autokd.errors import TrainingError
from autokd.records import EpochReport, Recipe
from autokd.run import Stopwatch

MAX_GRADIENT_NORM = 1.0


class TeacherLogits(Protocol):
    """The teacher's raw logits for views of the training images, stored or computed."""

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:
        """[n, classes] on the device; positions [n] count training images from 0, `images` are their [n, 3, S, S]."""


@dataclass(frozen=True)
class Training:
    """Everything that one training is made of; equal trainings give equal results on one device."""

    data: TaskData
    model: nn.Module
    normalisation: Normalisation
    recipe: Recipe
    seed: int
    views_seed: int
    device: str
    teacher: TeacherLogits | None = None
    views: int | None = None  # epochs beyond them see the first views again; None: a view of its own for every epoch
    checkpoint: Path | None = None


def train(training: Training) -> Iterator[EpochReport]:
    """Train to the end of the recipe, epoch by epoch; what a checkpoint holds is reported again, not trained again.

    Each epoch's checkpoint is on disk before the epoch is reported, so whoever iterates may stop at any report; only
    the last epoch leaves none, because what comes of it is the caller's to keep. Random numbers inside the model come
    from (seed, epoch), whatever else the process draws between epochs. Raises TrainingError where the loss is no
    longer finite.
    """
    recipe, model, path = training.recipe, training.model, training.checkpoint
    model.to(training.device).to(memory_format=torch.channels_last)
    optimizer = _optimizer(model, recipe)
    history = load_checkpoint(path, model, optimizer, training.device) if path else []
    yield from history
    for epoch in range(len(history) + 1, recipe.epochs + 1):
        history.append(_epoch(training, optimizer, epoch))
        if path and epoch < recipe.epochs:
            save_checkpoint(path, model, optimizer, history)
        yield history[-1]


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Full batches only, so that batch normalisation never sees a handful; one batch of all where they are few."""
    return max(1, images // batch_size)


def _optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """AdamW; no weight decay on biases and norms."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=recipe.learning_rate, fused=True)


def _epoch(training: Training, optimizer: Optimizer, epoch: int) -> EpochReport:
    watch = Stopwatch()
    data, recipe, model = training.data, training.recipe, training.model
    steps = steps_per_epoch(len(data.train), recipe.batch_size)
    torch.manual_seed(int(np.random.SeedSequence([training.seed, epoch]).generate_state(1)[0]))
    model.train()
    total = torch.zeros((), device=training.device)
    groups = _batches(training, epoch)
    stored = data.images.batches([data.train[positions] for positions in groups])
    for step, (positions, images) in enumerate(zip(groups, stored, strict=True), start=(epoch - 1) * steps):
        rate = recipe.learning_rate * learning_rate_factor(step, recipe.epochs * steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        total += _step(training, optimizer, positions, images, view=(epoch - 1) % (training.views or epoch))
    loss = float(total) / steps
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss was no longer finite in epoch {epoch} (learning rate {recipe.learning_rate:.2g})"
        )
    logits = predict(model, data, data.val, training.normalisation, training.device)
    labels = data.labels[data.val]
    return EpochReport(
        epoch=epoch,
        train_loss=loss,
        val_accuracy=accuracy(logits, labels),
        val_nll=nll(logits, labels),
        learning_rate=rate,
        seconds=watch.seconds,
    )


def _batches(training: Training, epoch: int) -> list[Indices]:
    """Positions of training images, shuffled by (seed, epoch)."""
    count, size = len(training.data.train), training.recipe.batch_size
    order = np.random.default_rng([training.seed, epoch]).permutation(count)
    return [order[step * size : (step + 1) * size] for step in range(steps_per_epoch(count, size))]


def _step(training: Training, optimizer: Optimizer, positions: Indices, stored: Tensor, view: int) -> Tensor:
    data, recipe, model = training.data, training.recipe, training.model
    indices = data.train[positions]
    images = make_view(stored, indices, data.task.transform, training.views_seed, view)
    labels = torch.from_numpy(data.labels[indices]).to(training.device, non_blocking=True)
    soft = training.teacher.logits(view, positions, images) if training.teacher and recipe.alpha > 0 else None
    with autocast(training.device):
        logits = model(normalise(images, *training.normalisation))
    loss = training_loss(logits, labels, soft, recipe.temperature, recipe.alpha)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
    optimizer.step()
    return loss.detach()
