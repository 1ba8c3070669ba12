"""The live teacher: logits computed when a training asks for them, because the disk has no room to store them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autokd.data.image_store import Indices
from autokd.data.views import normalise
from autokd.errors import TeacherError
from autokd.naming import named, set_to
from autokd.training.device import autocast
from autokd.training.evaluate import Normalisation
from autokd.training.halving import Halves


@dataclass(frozen=True)
class LiveTeacher:
    """A teacher that can be sent to worker processes: its model on the CPU, and its own mean and deviation."""

    model: nn.Module
    normalisation: Normalisation

    @classmethod
    def of(cls, model: nn.Module, normalisation: Normalisation) -> LiveTeacher:
        """The model as it is, or a copy where it is on another device."""
        on_cpu = all(p.device.type == "cpu" for p in model.parameters())
        return cls(model if on_cpu else copy.deepcopy(model).cpu(), normalisation)

    def check_can_travel(self) -> None:
        """Raise TeacherError where the model cannot be sent to another process."""
        try:
            pickle.dumps(self.model)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            raise TeacherError(
                f"the soft labels do not fit on the disk, and the teacher cannot be sent to workers ({error}); "
                f"give {named('cache_dir')} on a larger disk, or {set_to('engine', 'local')} and {set_to('workers', 1)}"
            ) from None

    def on(self, device: str) -> RunningTeacher:
        """The teacher at work; on the CPU it is this very model."""
        model = self.model if torch.device(device).type == "cpu" else copy.deepcopy(self.model)
        return RunningTeacher(model, self.normalisation, device)


class RunningTeacher:
    """See TeacherLogits in training/spec.py."""

    def __init__(self, model: nn.Module, normalisation: Normalisation, device: str) -> None:
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

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:  # noqa: ARG002 - the images say all
        """fp16 [n, classes] on the device, rounded as stored ones are."""
        return self.scores(images).to(torch.float16, copy=True)
