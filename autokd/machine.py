"""This machine: versions, hardware, cores, clock."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from importlib import metadata
from math import ceil
from pathlib import Path

SPINS = "1000"  # of GNU's OpenMP before a waiting thread sleeps; its default is 300,000
ARM = "0x41"  # CPU implementer in /proc/cpuinfo
NEOVERSE = {"0xd0c": "Neoverse N1", "0xd40": "Neoverse V1", "0xd49": "Neoverse N2", "0xd4f": "Neoverse V2"}  # CPU part
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
    return {
        "cpu": processor_name(),
        "cores": str(usable_cores()),
        "system": f"{platform.system()} {platform.release()}",
    }


def processor_name() -> str:
    """The processor as it reports itself; an Arm core by its name, where its numbers are known."""
    with suppress(OSError):
        if name := _name_in(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")):
            return name
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        with suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
            if name := answer.stdout.strip():
                return name
    return platform.processor() or platform.machine()


def _name_in(cpuinfo: str) -> str | None:
    """The first processor of Linux's list: x86 gives a name, Arm the numbers of its maker and of its core."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    if "model name" in fields:
        return fields["model name"] or None
    maker, part = fields.get("CPU implementer"), fields.get("CPU part")
    if maker == ARM and part is not None:
        return f"Arm {NEOVERSE[part]}" if part in NEOVERSE else f"Arm core {part}"
    return f"core {part} of maker {maker}" if maker and part else None


def usable_cores() -> int:
    """Cores that this process may use: those that it may run on, but no more than a container's limit pays for."""
    return min([visible_cores(), *map(ceil, _quotas(Path("/sys/fs/cgroup")))])


def visible_cores() -> int:
    """Cores that this process may run on, whatever share of their time it has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(groups: Path) -> Iterator[float]:
    """Cores' worth of time that a container's limit allows, by either version of control groups."""
    with suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text().split()
        yield int(quota) / int(period)  # "max" is no number: there is no limit
    with suppress(OSError, ValueError):
        quota, period = ((groups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(quota) > 0:
            yield int(quota) / int(period)


def keep_to_own_cores() -> None:
    """No more threads than cores in this process and those that it starts; to be called before torch is loaded.

    Left alone, torch takes all cores that it sees, of which a container's limit may pay for a few. A setting of the
    user's own stands.
    """
    if (cores := usable_cores()) < visible_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))


def let_waiting_threads_sleep() -> None:
    """Of this process and of those that it starts; to be called before torch is loaded.

    OpenMP's threads wait for each other by spinning. Where another process wants the core, that takes the time which
    the thread waited for needs: a training with two threads beside one busy process is twice as fast if they sleep
    soon, and 4 % slower on a quiet machine (benchmarks/RESULTS.md). A setting of the user's own stands.
    """
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = SPINS


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
