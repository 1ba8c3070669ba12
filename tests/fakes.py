"""Fake parts: the whole pipeline without data, training or measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autokd.config import SearchConfig
from autokd.files import write_text
from autokd.pipeline.services import Parts, Prepared
from autokd.progress import Listener, Tally
from autokd.records import (
    Candidate,
    CostModel,
    Decoding,
    FinalistRecord,
    Reading,
    SoftLabelSet,
    Task,
    Teacher,
    Transform,
)
from autokd.runs.folder import Run
from autokd.testing.fake_engine import FakeEngine, FakeFactory, FakeWorkshop
from autokd.testing.fake_meter import FakeMeter
from autokd.tune.engines.protocol import Engine, Job, WorkshopFactory

CLASSES = 10
SPACE = (
    '[students]\ninclude = ["test_resnet", "lcnet_035", "mobilenetv3_small_050", "lcnet_050"]\n'
    "[[first]]\ntemperature = 4.0\nalpha = 0.9\n"
)


def default_quality(job: Job) -> float:
    """Validation accuracy: larger students are better, distilling helps a little."""
    base = {"test_resnet": 0.90, "lcnet_035": 0.91, "mobilenetv3_small_050": 0.935, "lcnet_050": 0.94}
    return base[job.proposal.student] + (0.02 if job.proposal.arm == "distill" else 0.0)


class NoWeights:
    """See Supply: students start at random. The real one loads torch and timm, which takes seconds."""

    asked = "scratch"

    def lacks(self, student: str) -> str:
        """See Supply."""
        return "random weights were asked for"

    def publishes(self, student: str) -> bool:
        """See Supply."""
        return False


@dataclass(frozen=True)
class FakeParts(Parts):
    """Parts without data, training or measuring; trials of the tiny space come from a formula."""

    quality: Any = default_quality
    teacher_accuracy: float = 0.97
    fingerprint: str = "task"
    test_images: int = 2000
    trained: list[str] = field(default_factory=list)
    expected_seconds: float = 1.0  # of an epoch
    seconds_per_epoch: float = 1.0
    wait: Callable[[float], None] = lambda _: None  # what makes the clock go
    labelled: Mapping[str, Any] = field(default_factory=dict)  # what else is told of the soft labels

    def check(self, config: SearchConfig) -> None:
        return None

    @property
    def labels(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.arange(self.test_images) % CLASSES

    def prepare(self, config: SearchConfig, listener: Listener) -> Prepared:
        task = Task(
            data="made up",
            fingerprint=self.fingerprint,
            classes=tuple("abcdefghij"),
            train=1000,
            val=300,
            test=self.test_images,
            transform=Transform(image_size=32, crop="padded", flip=False),
            split_note="All made up.",
            test_is_separate=True,
        )
        right = np.random.default_rng(0).random(self.test_images) < self.teacher_accuracy
        answers = np.where(right, self.labels, (self.labels + 1) % CLASSES)
        teacher = Teacher(
            name="resnet10t",
            weights="made up",
            fingerprint="teacher",
            parameters=4_927_618,
            macs=22_387_712,
            val_accuracy=self.teacher_accuracy,
            test_accuracy=float(right.mean()),
            temperature=1.0,
            seconds=100.0,
            own_weights=False,
        )
        arrays = {
            "test_labels": self.labels,
            "val_labels": self.labels,
            "teacher_test_logits": np.eye(CLASSES, dtype=np.float32)[answers],
        }
        return Prepared(task, Path("nowhere"), teacher, arrays)

    def cost_model(self, config: SearchConfig, image_size: int) -> CostModel:
        return CostModel(
            model="measured",
            price_usd_per_hour=1.0,
            price_source="a test",
            price_date="undated",
            instance="made up",
            train_price_usd_per_hour=1.0,
            utilization=config.utilization,
            requests_per_month=config.requests_per_month,
            device="cpu",
            image_size=image_size,
        )

    def meter(
        self, prepared: Prepared, parameters: Mapping[str, int], config: SearchConfig, model: CostModel
    ) -> FakeMeter:
        return FakeMeter(parameters, model)

    def decoding(self, prepared: Prepared, model: CostModel) -> Decoding | None:
        return None

    def teacher_forms(self, *_: object) -> tuple[()]:
        return ()

    def form_reader(self, *_: object) -> None:
        return None

    def teacher_again(self, *_: object) -> Reading | None:
        return None

    def soft_labels(
        self, prepared: Prepared, config: SearchConfig, listener: Listener, since: float, settled: Any = None
    ) -> SoftLabelSet:
        views = config.epochs or 1
        return SoftLabelSet(
            folder="nowhere", views=views, wanted=views, reused=0, seconds=10.0, total_seconds=10.0, **self.labelled
        )

    def supply(self, config: SearchConfig) -> Any:
        return NoWeights()

    def epoch_seconds(
        self, prepared: Prepared, config: SearchConfig, candidates: Sequence[Candidate]
    ) -> Mapping[str, float]:
        return {candidate.student: self.expected_seconds for candidate in candidates}

    def _workshop(self) -> FakeWorkshop:
        return FakeWorkshop(
            self.quality, self.labels, CLASSES, self.seconds_per_epoch, trained=self.trained, wait=self.wait
        )

    def factory(
        self, prepared: Prepared, labels: SoftLabelSet, config: SearchConfig, candidates: Sequence[Candidate] = ()
    ) -> WorkshopFactory:
        return FakeFactory(self._workshop())

    def placed(self, config: SearchConfig, *_: Any) -> SearchConfig:
        return config

    def engine(self, config: SearchConfig, run: Run) -> Engine:
        return FakeEngine(self._workshop())

    def export(self, run: Run, finalist: FinalistRecord, weights: Path, task: Task, card: str) -> None:
        write_text(run.student_path / "README.md", card)


class Hearing:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self.tallies: list[Tally] = []

    def stage(self, title: str) -> None:
        self.stages.append(title)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        return None

    def tally(self, tally: Tally) -> None:
        self.tallies.append(Tally(**vars(tally)))
