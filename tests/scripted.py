"""A source that records and a workshop that follows a script. Light to import: worker processes do it."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autokd.records import EpochReport, Proposal, Recipe
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Order, Outcome


def make_job(key: str, folder: Path, epochs: int = 3, number: int = 0) -> Job:
    recipe = Recipe(learning_rate=1e-3, epochs=epochs, batch_size=8)
    proposal = Proposal(number=number, arm="direct", student="test_resnet", recipe=recipe)
    return Job(key=key, proposal=proposal, seed=1, folder=str(folder / key), final=False)


class RecordingSource:
    """Hands out jobs in order and writes down all it hears; `orders` says what to answer to (key, epoch)."""

    def __init__(self, jobs: list[Job], orders: Mapping[tuple[str, int], Order] | None = None) -> None:
        self.waiting = list(jobs)
        self.jobs = {job.key: job for job in jobs}
        self.orders = dict(orders or {})
        self.epochs: dict[str, list[int]] = {}
        self.finished: dict[str, Outcome] = {}
        self.failed: dict[str, tuple[str, bool]] = {}
        self.started: list[str] = []
        self.stopped = False
        self.lock = threading.RLock()  # like a database connection: it cannot be pickled, and need not be

    def next(self) -> Job | None:
        if self.stopped or not self.waiting:
            return None
        job = self.waiting.pop(0)
        self.started.append(job.key)
        return job

    def report(self, key: str, report: EpochReport) -> Order:
        self.epochs.setdefault(key, []).append(report.epoch)
        order = self.orders.get((key, report.epoch), "go")
        self.stopped = self.stopped or order == "stop"
        return "stop" if self.stopped else order

    def finish(self, key: str, outcome: Outcome) -> None:
        self.finished[key] = outcome

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        self.failed[key] = (failure.text, retry)
        if retry:
            self.waiting.insert(0, self.jobs[key])
        return retry


@dataclass(frozen=True)
class ScriptedFactory:
    """A workshop that trains nothing. Keys with `crash` raise, with `die` kill their process once, then work.

    It resumes like a real one: done epochs are kept in the job's folder and told again.
    """

    def __call__(self, slot: int, slots: int) -> ScriptedFactory:
        return self

    def files(self) -> list[Path]:
        return []

    def moved(self, to: Path) -> ScriptedFactory:
        return self

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        folder = Path(job.folder)
        folder.mkdir(parents=True, exist_ok=True)
        for epoch in range(1, job.proposal.recipe.epochs + 1):
            mark = folder / f"epoch-{epoch}"
            if not mark.exists():
                self._train(job, epoch, folder)
                mark.touch()
            yield EpochReport(
                epoch=epoch, train_loss=0.0, val_accuracy=epoch / 10, val_nll=0.0, learning_rate=0.0, seconds=0.01
            )
        yield Outcome(epochs=job.proposal.recipe.epochs, val_accuracy=0.5, test_accuracy=None, seconds=0.03)

    @staticmethod
    def _train(job: Job, epoch: int, folder: Path) -> None:
        with (folder / "trained.log").open("a") as log:
            log.write(f"{epoch}\n")
        if "lost" in job.key:
            (folder / "not there").read_text()
        if "crash" in job.key:
            raise ValueError("the student exploded")
        if "die" in job.key and epoch == 2 and not (folder / "died").exists():
            (folder / "died").touch()
            os._exit(7)
