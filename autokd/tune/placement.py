"""How many trainings run side by side on a CPU, with how many threads each, or on each GPU: chosen by measuring.

Small models do not fill many threads: two trainings with one thread each do more work than one with two. Nor do they
fill a GPU: it waits for the process that tells it what to do, and can serve another one meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autokd.formatting import file_size

MIN_GAIN = 1.1  # below it, one training at a time is simpler and takes less memory
MIN_WORK = 60.0  # seconds of training; below it, starting processes takes longer than they save
MEMORY_SHARE = 0.7  # of what is available


PACKED = (1, 2, 4)  # trainings on one GPU that are tried
MIN_WORK_OF_GPU = 300.0  # seconds of training on each GPU; below it, measuring and starting processes do not pay


class Placement(NamedTuple):
    """Trainings at a time, threads of each (on GPUs as many as there are), and the reason in a sentence."""

    workers: int
    threads: int
    reason: str


def thread_counts(cores: int) -> list[int]:
    """Threads worth trying: all cores, and powers of two below."""
    return sorted({1 << n for n in range(cores.bit_length()) if 1 << n < cores} | {cores})


def choose(seconds: Mapping[int, float], cores: int, jobs: int, work: float, memory: tuple[int, int]) -> Placement:
    """The placement that does most work.

    seconds: of a training step by number of threads, that of all cores among them; jobs: trainings that may run at a
    time; work: seconds of all trainings one after the other; memory: bytes of one process, and those available.
    """
    alone = seconds[cores]
    each, available = memory
    fitting = max(1, min(jobs, int(MEMORY_SHARE * available / max(1, each))))
    if work < MIN_WORK:
        return Placement(1, cores, "Trainings run one at a time, because they are short.")
    if fitting == 1:
        room = f"{file_size(available)} of memory hold one process of {file_size(each)}"
        return Placement(1, cores, f"Trainings run one at a time, because {room}.")
    gains = {threads: min(cores // threads, fitting) * alone / taken for threads, taken in seconds.items()}
    best = max(gains, key=lambda threads: (gains[threads], threads))
    if gains[best] < MIN_GAIN or best == cores:
        return Placement(1, cores, f"Trainings run one at a time on {cores} threads: more at a time would gain little.")
    workers = min(cores // best, fitting)
    threads = "one thread" if best == 1 else f"{best} threads"
    work_done = f"{gains[best]:.1f} times the work of one with {cores} (measured)"
    return Placement(workers, best, f"{workers} trainings run at a time, with {threads} each: that does {work_done}.")


def pack(
    rates: Mapping[int, float], gpus: int, jobs: int, threads: int, memory: Sequence[tuple[int, int]]
) -> Placement:
    """The number of trainings on each GPU that does most work.

    rates: steps a second of all trainings on one GPU, by their number; jobs: trainings that may run at a time; memory:
    bytes of one training and those available to all on one GPU, of the GPU and of the machine.
    """
    room = min((int(MEMORY_SHARE * available / max(1, each)) for each, available in memory), default=1)
    fitting = max(1, min(jobs // gpus, room))
    gains = {count: rate / rates[1] for count, rate in rates.items() if 1 in rates and count <= fitting}
    best = max(gains, key=lambda count: (gains[count], -count), default=1)
    if best == 1 or gains[best] < MIN_GAIN:
        return one_each(gpus, threads, "more at a time would gain little")
    done = f"{gains[best]:.1f} times the work of one (measured)"
    return Placement(gpus * best, threads, f"{best} trainings run at a time on {_each(gpus)}: that does {done}.")


def one_each(gpus: int, threads: int, why: str) -> Placement:
    """One training on each GPU."""
    return Placement(gpus, threads, f"One training at a time runs on {_each(gpus)}: {why}.")


def _each(gpus: int) -> str:
    return "the GPU" if gpus == 1 else f"each of the {gpus} GPUs"
