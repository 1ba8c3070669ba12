"""What a serving runtime has to do: make a model ready to answer, and answer."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn


class Loaded(Protocol):
    """A model that is ready to answer, with images that are already where it reads them.

    load_seconds: what a server that starts would have waited for it; converting is done before.
    """

    load_seconds: float

    def seconds(self, batch: int) -> float:
        """Of one forward pass of so many of the images, until the device has finished; on a GPU by its own clock."""

    def logits(self, batch: int) -> torch.Tensor:
        """Logits of the first images, [batch, classes], fp32 on the CPU."""

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of any images, no more than there were; both fp32 on the CPU."""


class Runtime(Protocol):
    """One way to serve models on one device in one precision. What cannot be served raises one of FAILURES."""

    def convert(self, model: nn.Module, images: torch.Tensor) -> Any:
        """What `load` takes: the model in the runtime's own format, without use of the device.

        model: its served form on the CPU. images: [largest batch, 3, height, width], fp32 on the CPU; a precision that
        has to be calibrated is calibrated on them.
        """

    def load(self, converted: Any, images: torch.Tensor) -> Loaded:
        """Make a converted model ready for up to so many images."""


def ready(runtime: Runtime, model: nn.Module, images: torch.Tensor) -> Loaded:
    """A model converted and loaded."""
    return runtime.load(runtime.convert(model, images), images)


# What torch and ONNX Runtime raise for a model, precision or size that they cannot serve.
FAILURES = (RuntimeError, TypeError, ValueError, AssertionError, MemoryError, LookupError, AttributeError)
