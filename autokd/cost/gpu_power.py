"""Power and clock of a GPU while a model answers without a pause, as the driver tells them (by way of nvidia-ml-py).

The energy of 1,000 requests is that of the GPU alone, with full batches and no idle time; the rest of the machine, and
what a replica takes while it waits, come on top.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean, median

import torch

from autokd.machine import Stopwatch

SETTLING = 1.2  # seconds until sensors that average over a second have forgotten what was before
SECONDS = 2.0  # of passes altogether
INTERVAL = 0.1  # seconds of passes from one look to the next
FEWEST = 3  # looks, where a pass takes long
CLOCKS_DIFFER = 0.05  # relative, from which on it is said


@dataclass(frozen=True)
class Drawn:
    """Mean power and median clock."""

    watts: float
    clock_mhz: float

    def wh_per_1k(self, images_per_second: float) -> float:
        """Watt-hours of 1,000 requests at a throughput."""
        return self.watts * 1000 / images_per_second / 3600


def drawn(run: Callable[[], object], device: str) -> Drawn | None:
    """What passes of a model draw; None on a CPU, and where the driver does not tell."""
    if device.partition(":")[0] != "cuda" or _look(device) is None:
        return None
    watch, seen = Stopwatch(), list[tuple[float, float]]()
    while watch.seconds < SECONDS or len(seen) < FEWEST:
        start = watch.seconds
        while watch.seconds < start + INTERVAL:
            run()
        if watch.seconds < SETTLING:
            continue
        if (look := _look(device)) is None:
            return None
        seen.append(look)
    watts, clocks = zip(*seen, strict=True)
    return Drawn(fmean(watts), median(clocks))


def _look(device: str) -> tuple[float, float] | None:
    """Watts and MHz of this moment."""
    try:
        return torch.cuda.power_draw(device) / 1000, float(torch.cuda.clock_rate(device))
    except Exception:  # noqa: BLE001 - a driver, a container or a MIG slice may allow it or not, each in its own way
        return None


def clocks_remark(clocks: list[float]) -> str | None:
    """What to say of a clock that was not the same for all models; clocks: MHz, one of each model."""
    if not clocks or max(clocks) <= min(clocks) * (1 + CLOCKS_DIFFER):
        return None
    return (
        f"The GPU ran at {min(clocks):,.0f} to {max(clocks):,.0f} MHz for different models, which is in their costs; "
        "`nvidia-smi --lock-gpu-clocks` keeps it still."
    )
