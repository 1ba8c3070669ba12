"""Work on images in pieces, by worker processes that run ahead of the caller; results come in order."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from autokd.data.image_store import Indices
from autokd.errors import DataError
from autokd.machine import usable_cores
from autokd.naming import set_to

AHEAD = 2  # pieces that each process works ahead

Result = TypeVar("Result")
Work = Callable[[Indices], Result]


def worker_count(asked: int | None, slots: int = 1, spare: int = 1) -> int:
    """Decoding processes: as asked, else the usable cores less `spare`, shared by `slots` trainings, and at least one.

    None at all where processes cannot be forked, or where this one may have no children.
    """
    if "fork" not in multiprocessing.get_all_start_methods() or multiprocessing.current_process().daemon:
        return 0
    return max(1, (usable_cores() - spare) // slots) if asked is None else asked


class Workers(Generic[Result]):
    """Processes that do one kind of work, started with the first run; a run may be abandoned half way.

    With no processes the work is done in this one, when its turn comes. `pin`: results come in pinned memory.
    """

    def __init__(self, work: Work[Result], count: int, pin: bool = False) -> None:
        self._work, self._count, self._pin = work, count, pin
        self._order = _Order()
        self._loader: DataLoader[Result] | None = None
        self._run = 0

    def run(self, pieces: Sequence[Indices]) -> Iterator[Result]:
        """The work's results, piece by piece; a later run ends this one.

        Raises DataError where a process died, and what the work raises.
        """
        self._run += 1
        run, self._order.pieces = self._run, pieces
        results = self._begin()
        for _ in pieces:
            if run != self._run:
                raise RuntimeError("this run was ended by a later one")
            yield self._next(results)

    def _begin(self) -> Iterator[Result]:
        """Results of the pieces now in order, by the processes that are there, or else by new ones."""
        if self._loader is not None:
            try:
                return iter(self._loader)  # first takes back what an abandoned run has left in the queues
            except (RuntimeError, OSError, EOFError):  # one of them has died since
                self._loader = None
        self._loader = self._start()
        others = set(multiprocessing.active_children())
        with _signals_of_children_kept():
            results = iter(self._loader)
        started = [process for process in multiprocessing.active_children() if process not in others]
        Finalize(None, _kill, (started,), exitpriority=1)
        return results

    def _next(self, results: Iterator[Result]) -> Result:
        try:
            return next(results)
        except (RuntimeError, OSError, EOFError) as error:
            # torch tells of a dead process; one that is still dying shows as a connection that breaks off
            told = not isinstance(error, RuntimeError) or str(error).startswith("DataLoader worker")
            if self._count == 0 or not told:
                raise
            self._loader = None
            raise DataError(
                f"a process that decodes images died ({_first_line(error)}); give it more memory "
                f"(in a container: --shm-size), or decode without processes: {set_to('loader_workers', 0)}"
            ) from None

    def _start(self) -> DataLoader[Result]:
        some = self._count > 0
        return DataLoader(
            _Pieces(self._work),
            batch_size=None,
            sampler=self._order,
            num_workers=self._count,
            collate_fn=_as_it_is,
            pin_memory=self._pin,
            prefetch_factor=AHEAD if some else None,
            persistent_workers=some,
            multiprocessing_context="fork" if some else None,
            worker_init_fn=_leave_signals_to_the_controller,
            generator=torch.Generator(),  # its own: a loader draws a seed, and training's numbers are to stay
        )


class _Order(Sampler[Indices]):
    """The pieces of the present run."""

    def __init__(self) -> None:
        self.pieces: Sequence[Indices] = ()

    def __iter__(self) -> Iterator[Indices]:
        return iter(self.pieces)

    def __len__(self) -> int:
        return len(self.pieces)


class _Pieces(Dataset[Result]):
    def __init__(self, work: Work[Result]) -> None:
        self._work = work

    def __getitem__(self, indices: Indices) -> Result:
        return self._work(indices)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _as_it_is(result: Result) -> Result:
    return result


@contextmanager
def _signals_of_children_kept() -> Iterator[None]:
    """The death of a process is told where its result is waited for; torch would raise it in the middle of anything."""
    handler = signal.getsignal(signal.SIGCHLD)
    yield
    if threading.current_thread() is threading.main_thread() and handler is not None:
        signal.signal(signal.SIGCHLD, handler)


def _leave_signals_to_the_controller(_: int) -> None:
    """Ctrl-C, a hang-up and SIGTERM reach the whole group of processes; the controller stops after the epoch."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)


def _kill(processes: Sequence[BaseProcess]) -> None:
    """At the end of this process: multiprocessing would wait for those that do not hear its SIGTERM."""
    for process in processes:
        process.kill()
