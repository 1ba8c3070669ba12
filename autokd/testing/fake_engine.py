"""An engine without training: accuracy is a formula. Everything above it is tested with this one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from autokd.files import write_bytes
from autokd.records import EpochReport, SeedResult
from autokd.runs.arrays import write_logits
from autokd.runs.store import RESULT, WEIGHTS
from autokd.runs.tables import write_history
from autokd.tune.engines.local import LocalEngine
from autokd.tune.engines.protocol import Job, JobSource, Outcome, WorkshopFactory

Quality = Callable[[Job], float]


@dataclass(frozen=True)
class FakeWorkshop:
    """See Workshop. A training reaches `quality(job)` along a curve; its seed decides about images near the edge.

    test_labels: int64 [n]; an image of difficulty u is got right where u is below the accuracy.
    """

    quality: Quality
    test_labels: np.ndarray[tuple[int], np.dtype[np.int64]]
    classes: int
    seconds_per_epoch: float = 1.0
    trained: list[str] = field(default_factory=list)  # keys of the jobs that were begun
    wait: Callable[[float], None] = lambda _: None  # lets the seconds of an epoch pass

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        """See Workshop."""
        self.trained.append(job.key)
        final, epochs = self.quality(job), job.proposal.recipe.epochs
        history = []
        for epoch in range(1, epochs + 1):
            history.append(self._epoch(job, epoch, final * (1 - 0.5 ** (4 * epoch / epochs)) / (1 - 0.5**4)))
            write_history(Path(job.folder), history)
            self.wait(self.seconds_per_epoch)
            yield history[-1]
        seconds = epochs * self.seconds_per_epoch
        test_accuracy = self._keep(job, final, seconds) if job.final else None
        yield Outcome(epochs=epochs, val_accuracy=final, test_accuracy=test_accuracy, seconds=seconds)

    def _epoch(self, job: Job, epoch: int, accuracy: float) -> EpochReport:
        return EpochReport(
            epoch=epoch,
            train_loss=1 - accuracy,
            val_accuracy=accuracy,
            val_nll=1 - accuracy,
            learning_rate=job.proposal.recipe.learning_rate,
            seconds=self.seconds_per_epoch,
        )

    def _keep(self, job: Job, final: float, seconds: float) -> float:
        difficulty = np.random.default_rng(0).random(len(self.test_labels))
        noise = np.random.default_rng([job.seed, job.proposal.number]).normal(0, 0.02, len(self.test_labels))
        right = difficulty + noise < final
        answers = np.where(right, self.test_labels, (self.test_labels + 1) % self.classes)
        folder = Path(job.folder)
        for part in ("test", "val"):
            write_logits(folder, part, np.eye(self.classes, dtype=np.float16)[answers])
        write_bytes(folder / WEIGHTS, b"")
        result = SeedResult(
            seed=job.seed, val_accuracy=final, test_accuracy=float(right.mean()), device_seconds=seconds
        )
        RESULT.write(folder, result)
        return result.test_accuracy


@dataclass(frozen=True)
class FakeFactory:
    """See WorkshopFactory; always the same workshop."""

    workshop: FakeWorkshop

    def __call__(self, slot: int, slots: int) -> FakeWorkshop:  # noqa: ARG002
        """See WorkshopFactory."""
        return self.workshop

    def files(self) -> list[Path]:
        """See WorkshopFactory."""
        return []

    def moved(self, to: Path) -> FakeFactory:  # noqa: ARG002
        """See WorkshopFactory."""
        return self


class FakeEngine:
    """See Engine; runs its own workshop whatever factory it is given."""

    def __init__(self, workshop: FakeWorkshop) -> None:
        self._factory = FakeFactory(workshop)

    def run(self, source: JobSource, factory: WorkshopFactory) -> None:  # noqa: ARG002
        """See Engine."""
        LocalEngine().run(source, self._factory)
