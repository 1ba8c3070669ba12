"""Models converted for a runtime side by side, in processes of their own: converting takes longer than timing.

A process waits without any work while models are timed.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch
from torch import nn

from autokd.cost.runtimes.protocol import Runtime

FEWEST = 12  # models for which starting the processes pays
Work = tuple[nn.Module, torch.Tensor]  # what Runtime.convert takes


class Conversions:
    """So many processes; they end when this is closed, and when the process that started them is gone."""

    def __init__(self, runtime: Runtime, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._processes: dict[Connection, BaseProcess] = {}
        for _ in range(processes):
            here, there = context.Pipe()
            process = context.Process(target=work, args=(there, runtime), daemon=True)
            process.start()
            there.close()
            self._processes[here] = process

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
        """End the processes."""
        for connection, process in self._processes.items():
            connection.close()
            process.kill()
            process.join()
        self._processes.clear()

    def _send(self, connection: Connection, model: Work) -> bool:
        try:
            connection.send_bytes(pickle.dumps(model))  # `send` would move all weights into shared memory
        except (pickle.PicklingError, AttributeError, TypeError, RuntimeError):
            return False  # a model that cannot travel
        except OSError:
            self._bury(connection)
            return False
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
    with suppress(ValueError):  # where a test runs it in a thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    with connection, suppress(EOFError, OSError):
        while True:
            model, images = pickle.loads(connection.recv_bytes())  # noqa: S301 - of the process that started this one
            try:
                answer: object | None = runtime.convert(model, images)
            except Exception:  # noqa: BLE001 - it is tried again where the cause can be told
                answer = None
            connection.send(answer)
