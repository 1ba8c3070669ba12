"""The device of a training: which one, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from autokd.memory import free_memory
from autokd.precision import Precision, precision_of


def autocast(device: str, precision: Precision | None = None) -> AbstractContextManager[object]:
    """Autocast in a precision, by default in that which the device gains from; float32 is none."""
    precision = precision or precision_of(device)
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(torch.device(device).type, dtype=dtype, enabled=precision != "fp32")


def resolve_device(asked: str | None) -> str:
    """The asked device, else CUDA where there is one, else the CPU."""
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")


def use_device(device: str) -> str:
    """Make it the GPU of this process, so that nothing is allocated on another one by accident."""
    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    return device


def leave_device(model: nn.Module) -> None:
    """Move a model to the CPU and give its memory back to the device, for other processes too."""
    model.cpu()
    free_memory()
