"""The default engine: in this process with one worker, in worker processes with more."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from autokd.processes import start_process
from autokd.records import EpochReport
from autokd.tune.engines.failures import Failure, failure_of
from autokd.tune.engines.protocol import JobSource, Outcome, Workshop, WorkshopFactory


class LocalEngine:
    """See Engine."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers

    def run(self, source: JobSource, factory: WorkshopFactory) -> None:
        """See Engine."""
        if self._workers == 1:
            _run_here(source, factory(0, 1))
        else:
            _Pool(source, factory, self._workers).run()


def _run_here(source: JobSource, workshop: Workshop) -> None:
    while (job := source.next()) is not None:
        training = workshop.do(job)
        while True:
            told = _advance(training)
            if told is None:
                break
            if isinstance(told, EpochReport):
                if source.report(job.key, told) != "go":
                    break
            elif isinstance(told, Outcome):
                source.finish(job.key, told)
            else:
                _failed(source, job.key, told)
        training.close()


def _advance(training: Generator[EpochReport | Outcome]) -> EpochReport | Outcome | Failure | None:
    """What the training tells next, why it failed, or None at its end; errors of others are not caught here."""
    try:
        return next(training, None)
    except Exception as error:  # noqa: BLE001 - what it means is told by its class
        return failure_of(error)


def _failed(source: JobSource, key: str, failure: Failure) -> None:
    """Tell the source; trouble of the machine is no fault of the training, which may go on later: it ends the run."""
    failure.check_machine()
    source.fail(key, failure, retry=False)


class _Pool:
    """Worker processes, each with a pipe; the controller answers every report before the worker goes on."""

    def __init__(self, source: JobSource, factory: WorkshopFactory, workers: int) -> None:
        self._source, self._factory, self._slots = source, factory, workers
        self._workers: dict[Connection, tuple[int, BaseProcess]] = {}
        self._busy: dict[Connection, str] = {}

    def run(self) -> None:
        """Hand out jobs until none is left. The workers end with this call, also where it fails."""
        try:
            for slot in range(self._slots):
                self._start(slot)
            while self._hand_out():
                for connection in wait(list(self._busy)):
                    assert isinstance(connection, Connection)  # noqa: S101 - only pipes are waited for
                    self._hear(connection)
        finally:
            self._end()

    def _end(self) -> None:
        """A waiting worker sees that its pipe is closed and ends; a worker that does not react is killed."""
        try:
            for connection in self._workers:
                connection.close()
            for _, process in self._workers.values():
                process.join(timeout=5)
        finally:
            for _, process in self._workers.values():
                process.kill()

    def _start(self, slot: int) -> None:
        # no daemon, for those may have no children, and a training has processes that decode its images
        connection, process = start_process(_work, self._factory, slot, self._slots)
        self._workers[connection] = (slot, process)

    def _hand_out(self) -> bool:
        """Give every idle worker a job; False when nothing runs any more."""
        for connection in [c for c in self._workers if c not in self._busy]:
            job = self._source.next()
            if job is None:
                break
            self._busy[connection] = job.key
            try:
                connection.send(job)
            except OSError:
                self._bury(connection)
        return bool(self._busy)

    def _hear(self, connection: Connection) -> None:
        key = self._busy[connection]
        try:
            told = connection.recv()
        except (EOFError, OSError):
            self._bury(connection)
            return
        if isinstance(told, EpochReport):
            order = self._source.report(key, told)
            if order != "go":
                del self._busy[connection]
            with suppress(OSError):  # a worker that died meanwhile is noticed at the next turn
                connection.send(order)
            return
        del self._busy[connection]
        if isinstance(told, Outcome):
            self._source.finish(key, told)
        else:
            _failed(self._source, key, told)

    def _bury(self, connection: Connection) -> None:
        """A worker died: its job may be handed out again, and another worker takes its place."""
        key = self._busy.pop(connection)
        slot, process = self._workers.pop(connection)
        process.join(timeout=5)
        connection.close()
        failure = Failure(cause="worker", text=f"the worker process died (exit code {process.exitcode})")
        self._source.fail(key, failure, retry=True)
        self._start(slot)


def _work(connection: Connection, factory: WorkshopFactory, slot: int, slots: int) -> None:
    """The life of a worker process; the controller ends it."""
    workshop: Workshop | None = None
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            workshop = workshop or factory(slot, slots)
        except Exception as error:  # noqa: BLE001 - a workshop is the same for every job
            connection.send(failure_of(error).model_copy(update={"cause": "machine"}))
            continue
        training = workshop.do(job)
        while (told := _advance(training)) is not None:
            connection.send(told)
            if isinstance(told, EpochReport) and connection.recv() != "go":
                break
        training.close()
