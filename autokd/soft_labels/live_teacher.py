"""The live teacher: logits computed when a training asks for them, because the disk has no room to store them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autokd.data.image_store import Indices
from autokd.data.task import TaskData
from autokd.data.views import normalise
from autokd.errors import TeacherError
from autokd.naming import named, set_to
from autokd.records import Preprocessing
from autokd.training.device import autocast
from autokd.training.evaluate import Normalisation
from autokd.training.halving import Halves

Views = Callable[[int, Indices], Tensor]  # number of the view, positions of training images -> [n, 3, S, S] in 0 to 1


def views_at_own_size(data: TaskData, seed: int) -> Views:
    """The views of a task as the teacher sees them."""

    def views(view: int, positions: Indices) -> Tensor:
        indices = data.train[positions]
        return data.view(data.images.take(indices), indices, seed, view)

    return views


@dataclass(frozen=True)
class LiveTeacher:
    """A teacher that can be sent to worker processes: its model on the CPU, and its own way of seeing images."""

    model: nn.Module
    normalisation: Normalisation
    preprocessing: Preprocessing | None = None

    @classmethod
    def of(
        cls, model: nn.Module, normalisation: Normalisation, preprocessing: Preprocessing | None = None
    ) -> LiveTeacher:
        """The model as it is, or a copy where it is on another device."""
        on_cpu = all(p.device.type == "cpu" for p in model.parameters())
        return cls(model if on_cpu else copy.deepcopy(model).cpu(), normalisation, preprocessing)

    def check_can_travel(self) -> None:
        """Raise TeacherError where the model cannot be sent to another process."""
        try:
            pickle.dumps(self.model)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            raise TeacherError(
                f"the soft labels do not fit on the disk, and the teacher cannot be sent to workers ({error}); "
                f"give {named('cache_dir')} on a larger disk, or {set_to('engine', 'local')} and {set_to('workers', 1)}"
            ) from None

    def on(self, device: str, views: Views | None = None) -> RunningTeacher:
        """The teacher at work; on the CPU it is this very model. views: of a teacher with a size of its own."""
        model = self.model if torch.device(device).type == "cpu" else copy.deepcopy(self.model)
        return RunningTeacher(model, self.normalisation, device, views)


class RunningTeacher:
    """See TeacherLogits in training/spec.py."""

    def __init__(self, model: nn.Module, normalisation: Normalisation, device: str, views: Views | None = None) -> None:
        self._views = views
        model = model.to(device).to(memory_format=torch.channels_last)
        self._model, self._normalisation, self._device = model.eval().requires_grad_(False), normalisation, device
        self._halves = Halves()

    @torch.inference_mode()
    def scores(self, images: Tensor) -> Tensor:
        """Logits [n, classes] of images [n, 3, S, S] in 0 to 1, as the model gives them."""
        return self._halves.run(self._scores, images)

    def _scores(self, images: Tensor) -> Tensor:
        with autocast(self._device):
            scores: Tensor = self._model(normalise(images, *self._normalisation))
        return scores

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:
        """fp16 [n, classes] on the device, rounded as stored ones are."""
        if self._views is not None:
            images = self._views(view, positions)
        return self.scores(images).to(torch.float16, copy=True)
