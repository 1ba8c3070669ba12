"""What a training changes, and its checkpoints: atomic, and enough to continue to the same result."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from autokd.files import replacing
from autokd.records import EpochReport

if TYPE_CHECKING:
    from timm.utils import ModelEmaV3


@dataclass
class State:
    """Everything that a step or an epoch of a training changes."""

    model: nn.Module
    optimizer: Optimizer
    average: ModelEmaV3 | None = None  # moving average of the model's weights
    scaler: GradScaler | None = None  # of the loss, where the training is in float16
    history: list[EpochReport] = field(default_factory=list)

    @property
    def evaluated(self) -> nn.Module:
        """The model whose accuracy counts: the averaged one where there is an average."""
        return self.model if self.average is None else self.average.module

    def finish(self) -> None:
        """The training is over: the model takes the averaged weights."""
        if self.average is not None:
            self.model.load_state_dict(self.average.module.state_dict())


def save_checkpoint(path: Path, state: State, final: bool = False) -> None:
    """Write the state so that a kill leaves the old file or the new one; a `final` one holds weights and history only.

    Flushed to the disk before it takes the old one's place, so that a power loss cannot leave half of it.
    """
    content = {
        "model": state.model.state_dict(),
        "optimizer": None if final else state.optimizer.state_dict(),
        "scaler": None if final or state.scaler is None else state.scaler.state_dict(),
        "average": None if final or state.average is None else state.average.module.state_dict(),
        "history": [report.model_dump() for report in state.history],
    }
    with replacing(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch hides that the disk was full behind a complaint of its own
            raise _of_the_disk(error) or error from None


def _of_the_disk(error: BaseException) -> OSError | None:
    """The error of the disk during which this one was raised."""
    before = error.__context__
    while before is not None and not isinstance(before, OSError):
        before = before.__context__
    return before


def load_checkpoint(path: Path, state: State, device: str) -> None:
    """Restore what `save_checkpoint` wrote; nothing changes where there is no readable checkpoint.

    A file that is damaged or of another model is removed: the training then begins again rather than never.
    """
    if not path.exists():
        return
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        history = [EpochReport.model_validate(report) for report in content["history"]]
        average = content["average"] or content["model"]
        if not (_fits(content["model"], state.model) and _fits(average, state.evaluated)):
            raise ValueError("it is of another model")
        if content["optimizer"] is not None:
            state.optimizer.load_state_dict(content["optimizer"])
        if state.scaler is not None and content["scaler"] is not None:
            state.scaler.load_state_dict(content["scaler"])
    except (EOFError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, pickle.UnpicklingError):
        path.unlink()
        return
    state.model.load_state_dict(content["model"])
    if state.average is not None:
        state.average.module.load_state_dict(average)
    state.history[:] = history


def _fits(tensors: dict[str, Tensor], model: nn.Module) -> bool:
    """Whether these are the tensors of a model, by name and shape."""
    own = model.state_dict()
    return tensors.keys() == own.keys() and all(tensors[key].shape == own[key].shape for key in own)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the model's state on the CPU."""
    return {key: value.detach().cpu().clone() for key, value in model.state_dict().items()}
