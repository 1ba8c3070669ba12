"""torch as it is: models and images channels last, converted to the serving precision as a server would load them."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from autokd.machine import Stopwatch

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Forward = Callable[[torch.Tensor], torch.Tensor]


class Eager:
    """See Runtime."""

    def __init__(self, device: str, precision: str) -> None:
        self._device, self._dtype = torch.device(device), PRECISIONS[precision]

    def convert(self, model: nn.Module, images: torch.Tensor) -> nn.Module:  # noqa: ARG002 - Runtime
        """See Runtime."""
        return model

    def load(self, converted: nn.Module, images: torch.Tensor) -> TorchLoaded:
        """See Runtime."""
        moved = images.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        watch = Stopwatch()
        placed = converted.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        return TorchLoaded(self._forward(placed), moved, watch.seconds)

    def _forward(self, placed: nn.Module) -> Forward:
        return placed


class TorchLoaded:
    """See Loaded."""

    def __init__(self, forward: Forward, images: torch.Tensor, load_seconds: float) -> None:
        self._forward, self._images, self.load_seconds = forward, images, load_seconds

    def seconds(self, batch: int) -> float:
        """See Loaded."""
        inputs = self._images[:batch]
        with torch.inference_mode():
            if inputs.is_cuda:
                return self._seconds_on_gpu(inputs)
            start = time.perf_counter()
            self._forward(inputs)
            return time.perf_counter() - start

    def _seconds_on_gpu(self, inputs: torch.Tensor) -> float:
        """By the GPU's own clock, launches that it waits for included."""
        with torch.cuda.device(inputs.device):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            start.record()
            self._forward(inputs)
            end.record()
            end.synchronize()
        return float(start.elapsed_time(end)) / 1000

    def logits(self, batch: int) -> torch.Tensor:
        """See Loaded."""
        with torch.inference_mode():
            return self._forward(self._images[:batch]).float().cpu()

    def answer(self, images: torch.Tensor) -> torch.Tensor:
        """See Loaded."""
        with torch.inference_mode():
            moved = images.to(self._images.device, self._images.dtype).to(memory_format=torch.channels_last)
            return self._forward(moved).float().cpu()
