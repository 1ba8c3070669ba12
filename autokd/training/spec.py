"""What one training is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor, nn

from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.precision import Precision
from autokd.records import Recipe
from autokd.training.evaluate import Normalisation


class TeacherLogits(Protocol):
    """The teacher's raw logits for views of the training images, stored or computed."""

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:
        """[n, classes] on the device; positions [n] count training images from 0, `images` are their [n, 3, S, S]."""


@dataclass(frozen=True)
class Training:
    """Everything that one training is made of; equal deterministic trainings give equal results on one device."""

    data: TaskData
    model: nn.Module
    normalisation: Normalisation
    recipe: Recipe
    seed: int
    views_seed: int
    device: str
    teacher: TeacherLogits | None = None
    checkpoint: Path | None = None
    views: int | None = None  # epochs beyond them see the first views again; None: a view of its own for every epoch
    accumulate: int = 1  # parts in which a batch goes through the model
    share: float = 1.0  # of the device that this training has beside others
    compiled: bool = False  # whether the steps go through torch.compile
    deterministic: bool = True  # convolutions on a GPU; else they are the fastest
    precision: Precision | None = None  # of autocast; None: that which the device gains from
