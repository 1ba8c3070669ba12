"""How much work trainings do side by side on one GPU, each in a process of its own, as the local engine runs them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import NamedTuple

from autokd.machine import Stopwatch
from autokd.processes import start_process
from autokd.training.compile_and_timing import WARM_UP, made_up_step
from autokd.training.device import use_device
from autokd.zoo.build import build

SECONDS = 1.5  # of steps for each number of trainings
PATIENCE = 120.0  # seconds until a process that does not answer counts as dead


class Workload(NamedTuple):
    """Training steps of a student on made-up images."""

    student: str
    classes: int
    image_size: int
    batch_size: int
    device: str


def run_side_by_side(workload: Workload, counts: Sequence[int], seconds: float = SECONDS) -> dict[int, float]:
    """Steps a second of all together, by their number, in new processes; what the memory does not allow is left out."""
    connections, processes = [], []
    try:
        for _ in range(max(counts)):
            connection, process = start_process(work, workload, daemon=True)
            connections.append(connection)
            processes.append(process)
        return listen(connections, counts, seconds)
    finally:
        for connection in connections:
            connection.close()
        for process in processes:
            process.join(timeout=5)
            process.kill()


def listen(connections: Sequence[Connection], counts: Sequence[int], seconds: float) -> dict[int, float]:
    """What the processes at the other ends say of their steps when so many of them work."""
    ready, rates = [connection for connection in connections if _hear(connection) is not None], {}
    for count in sorted(count for count in counts if count <= len(ready)):
        for connection in ready[:count]:
            with suppress(OSError):
                connection.send(seconds)
        heard = [_hear(connection) for connection in ready[:count]]
        if None in heard:
            break
        rates[count] = sum(rate for rate in heard if rate is not None)
    return rates


def _hear(connection: Connection) -> float | None:
    """The next number from a process; None where it is dead, for lack of memory most of the time."""
    try:
        return float(connection.recv()) if connection.poll(PATIENCE) else None
    except (EOFError, OSError):
        return None


def work(connection: Connection, workload: Workload) -> None:
    """The life of a process: says that it is ready, then works for so many seconds whenever it is asked to."""
    student, classes, image_size, batch_size, device = workload
    with connection, suppress(Exception):  # whatever it is, the other end sees that this process is gone
        model = build(student, classes, image_size)
        step = made_up_step(model, model, image_size, batch_size, use_device(device))
        for _ in range(WARM_UP):
            step()
        connection.send(0.0)
        while True:
            wanted, steps, watch = connection.recv(), 0, Stopwatch()
            while watch.seconds < wanted:
                step()
                steps += 1
            connection.send(steps / watch.seconds)
