"""Power and clock of a GPU while a model answers batch after batch, as the driver tells them (through nvidia-ml-py).

The energy of 1,000 requests is that of the GPU alone, in full batches; the rest of the machine, and what a replica
takes while it waits, come on top.
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
    """Mean power, median clock, and the throughput meanwhile."""

    watts: float
    clock_mhz: float
    images_per_second: float

    @property
    def wh_per_1k(self) -> float:
        """Watt-hours of 1,000 requests."""
        return self.watts * 1000 / self.images_per_second / 3600


def drawn(run: Callable[[], object], batch: int, device: str) -> Drawn | None:
    """What passes of a model on `batch` images draw; None on a CPU, and where the driver does not tell."""
    if device.partition(":")[0] != "cuda" or torch.version.hip or _look(device) is None:
        return None
    watch, seen, passes, seconds = Stopwatch(), list[tuple[float, float]](), 0, 0.0
    while watch.seconds < SECONDS or len(seen) < FEWEST:
        start, before = watch.seconds, passes
        while watch.seconds < start + INTERVAL:
            run()
            passes += 1
        if watch.seconds < SETTLING:
            passes = before
            continue
        seconds += watch.seconds - start
        if (look := _look(device)) is None:
            return None
        seen.append(look)
    watts, clocks = zip(*seen, strict=True)
    return Drawn(fmean(watts), median(clocks), passes * batch / seconds)


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
