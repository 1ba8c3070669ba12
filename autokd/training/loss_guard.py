"""Watches the loss of a training: the mean of an epoch, and whether going on makes sense."""

from __future__ import annotations

import math

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
        self._sums = torch.zeros(2, device=training.device)  # the total of all losses that count, and their number
        self._steps, self._seen_steps, self._seen = 0, 0, (0.0, 0.0)

    def add(self, loss: Tensor) -> None:
        """Raises TrainingError, within CHECK_EVERY steps of the cause."""
        self._first = loss if self._first is None else self._first
        counts = torch.isfinite(loss)
        self._sums += torch.stack([torch.where(counts, loss, 0.0), counts.to(loss.dtype)])
        self._steps += 1
        if self._steps % CHECK_EVERY == 0:
            self._look()

    def mean(self) -> float:
        """The mean of all losses so far; raises TrainingError."""
        self._look()
        total, count = self._seen
        return total / count

    def _look(self) -> None:
        if self._steps == self._seen_steps:
            return
        total, count = self._sums.tolist()
        recent, counted = total - self._seen[0], count - self._seen[1]
        enough = (self._steps - self._seen_steps) * (0.5 if self._scaler is not None else 1.0)
        if counted < enough:
            raise TrainingError(f"the loss was no longer finite in {self._where}")
        if self._scaler is not None and self._scaler.get_scale() < LEAST_SCALE:
            raise TrainingError(f"the gradients were no longer finite in {self._where}")
        if self._normal is None:
            first = float(self._first) if self._first is not None else math.nan
            self._normal = max(first, self._guess) if math.isfinite(first) else self._guess
        if recent / counted > DIVERGED * self._normal:
            raise TrainingError(
                f"the loss diverged in {self._where}: {recent / counted:.3g}, where it began with {self._normal:.3g}"
            )
        self._seen, self._seen_steps = (total, count), self._steps
