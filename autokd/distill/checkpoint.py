"""Checkpoints of a training: atomic, and enough to go on to the same result."""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from autokd.records import EpochReport


def save_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer, history: list[EpochReport]) -> None:
    """Write model, optimizer and history so that a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [report.model_dump() for report in history],
    }
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            torch.save(content, file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer, device: str) -> list[EpochReport]:
    """Restore what `save_checkpoint` wrote; returns the history, empty where there is no readable checkpoint.

    A power loss may leave a cut file; the training then begins again rather than never.
    """
    if not path.exists():
        return []
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (EOFError, RuntimeError, pickle.UnpicklingError):
        path.unlink()
        return []
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    return [EpochReport.model_validate(report) for report in content["history"]]
