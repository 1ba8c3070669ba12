"""This machine: versions, hardware, cores, clock."""

from __future__ import annotations

import os
import platform
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("autokd", "torch", "torchvision", "timm", "optuna", "ray", "numpy")


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Processor, cores and system of this machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {"cpu": model, "cores": str(usable_cores()), "system": f"{platform.system()} {platform.release()}"}


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def now() -> str:
    """Local time with its zone, ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._start
