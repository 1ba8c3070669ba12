"""torch.compile; on CUDA with CUDA graphs."""

from __future__ import annotations

import torch
from torch import nn

from autokd.cost.runtimes.eager import Eager, Forward
from autokd.private_interfaces import raise_recompile_limits


class Compiled(Eager):
    """See Runtime. fixed: one batch size only, for which a model is compiled; else for any, but for one image apart."""

    def __init__(self, device: str, precision: str, fixed: bool) -> None:
        super().__init__(device, precision)
        self._fixed = fixed
        raise_recompile_limits()  # every model compiles the same forward functions again, for each batch size

    def _forward(self, placed: nn.Module) -> Forward:
        graphs = "reduce-overhead" if self._device.type == "cuda" else "default"
        forward: Forward = torch.compile(placed, dynamic=not self._fixed, mode=graphs)
        return forward
