"""Watches the loss of a training: the mean of an epoch, and whether going on makes sense."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from autokd.errors import TrainingError
from autokd.training.checkpoint import State
from autokd.training.spec import Training

CHECK_EVERY = 100  # steps between two looks at the loss, which wait for the device
DIVERGED = 10.0  # times the loss of the beginning, or that of a guess where a model began with less
LEAST_SCALE = 2.0**-10  # of a loss in float16; gradients that overflow even then are not finite at any scale


class LossGuard:
    """Adds up the losses of an epoch on the device, and looks at them now and then.

    In float16 a batch may overflow: its step is left out, and its loss, where that is not finite, does not count. The
    training fails where most losses since the last look are of this kind, or where no scale of the loss helps.
    """

    def __init__(self, training: Training, state: State) -> None:
        self._where = f"epoch {len(state.history) + 1} (learning rate {training.recipe.learning_rate:.2g})"
        self._guess = math.log(len(training.data.task.classes))
        self._normal = max(state.history[0].train_loss, self._guess) if state.history else None
        self._scaler = state.scaler
        self._first: Tensor | None = None
        self._total = torch.zeros((), device=training.device)  # of all losses that count
        self._left_out = torch.zeros((), device=training.device)  # how many do not
        self._seen = _Sums(0, 0.0, 0.0)
        self._steps = 0

    def add(self, loss: Tensor) -> None:
        """Raises TrainingError, within CHECK_EVERY steps of the cause."""
        self._first = loss if self._first is None else self._first
        if self._scaler is not None:
            counts = torch.isfinite(loss)
            self._left_out += ~counts
            loss = torch.where(counts, loss, 0.0)
        self._total += loss
        self._steps += 1
        if self._steps % CHECK_EVERY == 0:
            self._look()

    def mean(self) -> float:
        """The mean of all losses so far; raises TrainingError."""
        self._look()
        return self._seen.total / (self._seen.steps - self._seen.left_out)

    def _look(self) -> None:
        left_out = 0.0 if self._scaler is None else float(self._left_out)
        now, before = _Sums(self._steps, float(self._total), left_out), self._seen
        steps = now.steps - before.steps
        if not steps:
            return
        counted = steps - (now.left_out - before.left_out)
        if not math.isfinite(now.total) or counted < steps / 2:
            raise TrainingError(f"the loss was no longer finite in {self._where}")
        if self._scaler is not None and self._scaler.get_scale() < LEAST_SCALE:
            raise TrainingError(f"the gradients were no longer finite in {self._where}")
        if self._normal is None:
            first = self._guess if self._first is None else float(self._first)
            self._normal = max(first, self._guess) if math.isfinite(first) else self._guess
        recent = (now.total - before.total) / counted
        if recent > DIVERGED * self._normal:
            raise TrainingError(
                f"the loss diverged in {self._where}: {recent:.3g}, where it began with {self._normal:.3g}"
            )
        self._seen = now


class _Sums(NamedTuple):
    """Steps of the epoch so far, the total of the losses that count, and the number of those that do not."""

    steps: int
    total: float
    left_out: float
