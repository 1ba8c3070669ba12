"""Batches that do not fit into the memory of a device, in halves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autokd.memory import free_memory, is_device_memory


class Halves:
    """Runs a model without gradients on batch after batch; one that does not fit goes in halves, as do all later ones.

    In evaluation mode the parts of a batch do not depend on each other, so that the answer is the same.
    """

    def __init__(self) -> None:
        self._most: int | None = None  # images at a time; None: as many as come

    def run(self, forward: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """What `forward` answers to all images; raises its error where not even one image fits."""
        while True:
            parts = [images] if self._most is None else torch.split(images, self._most)
            try:
                return torch.cat([forward(part) for part in parts])
            except RuntimeError as error:
                most = max(map(len, parts))
                if most < 2 or not is_device_memory(error):
                    raise
            free_memory()  # the error is gone, and with it what its traceback kept in memory
            self._most = (most + 1) // 2
