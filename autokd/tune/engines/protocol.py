"""The narrow protocol between a source, which hands out jobs, and an engine, which places them.

A source hands out jobs and hears of them; an engine runs jobs with a workshop and tells the source. One thread of the
controller calls the source, so a source needs no locks; workers never see it.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Literal, Protocol

from autokd.records import EpochReport, Proposal, Record
from autokd.tune.engines.failures import Failure

Order = Literal["go", "prune", "stop"]
MAX_RETRIES = 2  # of a job whose worker died


class Job(Record):
    """One training to be placed."""

    key: str  # unique in the run, and the same after a resume
    proposal: Proposal
    seed: int
    folder: str  # where the training keeps its checkpoint and leaves its results
    final: bool  # a finalist's: keeps weights and test logits
    accumulate: int = 1  # parts in which its batches are trained at least
    twin: bool = False  # sees the views of a distilled finalist, epoch by epoch


class Outcome(Record):
    """The result of a finished training."""

    epochs: int
    val_accuracy: float
    test_accuracy: float | None
    seconds: float


class Workshop(Protocol):
    """Does one job at a time in one process."""

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        """Train, report after each epoch, and end with the outcome.

        Closing the iterator after a report leaves the training resumable; a later `do` of the same job reports the
        epochs that are done again and continues.
        """


class WorkshopFactory(Protocol):
    """Makes a workshop where the work is done; picklable, small, and it knows the files that the work reads."""

    def __call__(self, slot: int, slots: int) -> Workshop:
        """The workshop of worker number `slot` among `slots` that share this machine."""

    def files(self) -> list[Path]:
        """Files that must be there before the call."""

    def moved(self, to: Path) -> WorkshopFactory:
        """The same factory for a machine on which `files` were put below `to`, under their full paths."""


class JobSource(Protocol):
    """Hands out jobs and keeps the record of them."""

    def next(self) -> Job | None:
        """A job to start now, or None: nothing later, unless a running one fails or its report changes others."""

    def report(self, key: str, report: EpochReport) -> Order:
        """An epoch is done; anything but "go" ends the job here, and the source has noted why."""

    def finish(self, key: str, outcome: Outcome) -> None:
        """The job is done."""

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """The job has no outcome; with `retry` it was the worker's fault and may be handed out again.

        Returns whether it will be.
        """


class Engine(Protocol):
    """Runs the jobs of a source until there are no more."""

    def run(self, source: JobSource, factory: WorkshopFactory) -> None:
        """Returns when the source hands out nothing and nothing runs; raises MachineError where the machine fails."""
