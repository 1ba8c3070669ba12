"""Models converted for a runtime side by side, in processes of their own: converting takes longer than timing.

A process waits without any work while models are timed.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
from torch import nn

from autokd.cost.runtimes.protocol import FAILURES, Runtime
from autokd.machine import available_memory, usable_cores
from autokd.processes import start_process

FEWEST = 12  # models for which starting the processes pays
MOST = 4  # processes
MEMORY = 2_000_000_000  # bytes that have to be free for each: half a gigabyte of its own, a model, and its file
PATIENCE = 5.0  # seconds until a process that does not end is killed
Work = tuple[nn.Module, torch.Tensor]  # what Runtime.convert takes


def affordable_processes() -> int:
    """How many there are cores and memory for."""
    return max(1, min(usable_cores(), MOST, available_memory() // MEMORY))


class Conversions:
    """So many processes; they end when this is closed, and when the process that started them is gone."""

    def __init__(self, runtime: Runtime, processes: int) -> None:
        self._processes: dict[Connection, BaseProcess] = {}
        with suppress(OSError):  # fewer, where the machine allows no more
            for _ in range(processes):
                connection, process = start_process(work, runtime, daemon=True)
                self._processes[connection] = process

    def convert(self, models: Sequence[Work]) -> list[object | None]:
        """Each model converted; None where that failed, to be tried in this process, which then says why."""
        converted: list[object | None] = [None] * len(models)
        left, busy = list(range(len(models))), dict[Connection, int]()
        while left or busy:
            for connection in [each for each in self._processes if each not in busy]:
                if left and self._send(connection, models[left[0]]):
                    busy[connection] = left[0]
                left = left[1:]
            for answered in wait(list(busy)) if busy else ():
                assert isinstance(answered, Connection)  # noqa: S101 - only pipes are waited for
                converted[busy.pop(answered)] = self._receive(answered)
            if not self._processes:
                break
        return converted

    def close(self) -> None:
        """End the processes; they see that their pipes are closed."""
        for connection in self._processes:
            connection.close()
        for process in self._processes.values():
            process.join(timeout=PATIENCE)
            process.kill()
        self._processes.clear()

    def _send(self, connection: Connection, model: Work) -> bool:
        try:
            connection.send_bytes(pickle.dumps(model))  # `send` would move all weights into shared memory
        except OSError:
            self._bury(connection)
            return False
        except (pickle.PicklingError, *FAILURES):
            return False  # a model that cannot travel
        return True

    def _receive(self, connection: Connection) -> object | None:
        try:
            answer: object | None = connection.recv()
        except (EOFError, OSError):
            self._bury(connection)
            return None
        return answer

    def _bury(self, connection: Connection) -> None:
        connection.close()
        self._processes.pop(connection).kill()


def work(connection: Connection, runtime: Runtime) -> None:
    """The life of a process: converts what it is sent, with one thread."""
    torch.set_num_threads(1)
    with connection, suppress(EOFError, OSError):
        while True:
            sent = connection.recv_bytes()
            try:
                answer: object | None = runtime.convert(*pickle.loads(sent))  # noqa: S301 - sent by the one that started it
            except Exception:  # noqa: BLE001 - it is tried again where the cause can be told
                answer = None
            connection.send(answer)
