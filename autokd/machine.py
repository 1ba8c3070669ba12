"""This machine: versions, hardware, cores, clock."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("autokd", "torch", "torchvision", "timm", "onnxruntime", "optuna", "ray", "numpy")


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


def available_memory() -> int:
    """Bytes that this process may still take: what the machine has, or what a container leaves of its limit."""
    found = [os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = [1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])]
    found += _left_of_limits(Path("/sys/fs/cgroup"))
    return max(0, min(found))


def _left_of_limits(groups: Path) -> Iterator[int]:
    """Of a container's limits, by either version of control groups; what the kernel may drop does not count as used."""
    for folder, limit, used, dropped in (
        (groups, "memory.max", "memory.current", "inactive_file"),
        (groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with suppress(OSError, ValueError, StopIteration):
            lines = (folder / "memory.stat").read_text().splitlines()
            droppable = int(next(line for line in lines if line.startswith(f"{dropped} ")).split()[1])
            yield int((folder / limit).read_text()) - int((folder / used).read_text()) + droppable


def free_disk(path: Path) -> int:
    """Bytes that are free on the disk where `path` is, or would be made."""
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free


def own_memory() -> int:
    """Bytes that this process has taken at most."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else 1024 * most


def now() -> str:
    """Local time with its zone, ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._start = clock, clock()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._clock() - self._start
