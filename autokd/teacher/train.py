"""A teacher trained here: short runs choose the learning rate, one long training keeps its best epoch."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import nn

from autokd.cache.sealed import read_sealed, write_sealed
from autokd.data.task import TaskData
from autokd.errors import TooLargeError, TrainingError
from autokd.machine import Stopwatch
from autokd.precision import Precision
from autokd.progress import Listener
from autokd.records import EpochReport, Recipe, Record
from autokd.training.batches import steps_per_epoch
from autokd.training.compile_and_timing import (
    FORWARD,
    fastest_precision,
    has_choice_of_precision,
    training_seconds_per_image,
)
from autokd.training.evaluate import Normalisation
from autokd.training.loop import Training, train
from autokd.training.presets import preset
from autokd.weights.loading import read_state
from autokd.weights.save import save_state

VIEWS_SEED = 1_000_003  # the teacher's own training views
SEED = 0
SHORT_SHARE = 8  # the long training / a short one
TIME_SHARE = 0.4  # of a run's time limit; the students, two arms of them, need the rest
LEAST_STEPS = 100  # of the optimizer; shorter runs tell no learning rates apart, and the usual one is taken
CHECKPOINT, BEST, BEST_WEIGHTS, BEGUN = "checkpoint.pt", "best.json", "best.safetensors", "begun.json"


class Tried(Record):
    """How well a short run did on validation; worst of all where it diverged. `seconds` of the device."""

    rate: float
    seconds: float = 0.0
    val_accuracy: float
    val_nll: float


class _Begun(Record):
    precision: Precision | None = None  # that was fastest; None: that which the device gains from
    seconds: float = 0.0  # that timing both took
    tried: tuple[Tried, ...] = ()


class _Best(Record):
    epoch: int
    val_accuracy: float
    val_nll: float


@dataclass(frozen=True)
class TeacherTraining:
    """Everything that the training of a teacher needs; `recipe` has the usual learning rate.

    folder: in the cache; what an interrupted training has left there is continued.
    """

    name: str
    model: nn.Module
    normalisation: Normalisation
    data: TaskData
    recipe: Recipe
    folder: Path
    device: str
    deterministic: bool = True

    def run(self, listener: Listener) -> Trained:
        """Train `model`, in place; raises TrainingError where no learning rate works."""
        progress = _Progress(self, listener)
        begun = self._begun()
        progress.take_up(begun.seconds, 0)
        rate = self._best_rate(progress, begun)
        recipe = self.recipe.model_copy(update={"learning_rate": rate})
        best = read_sealed(self.folder / BEST, _Best)
        if best is None or not (self.folder / BEST_WEIGHTS).is_file():
            (self.folder / CHECKPOINT).unlink(missing_ok=True)  # whose weights would be taken for those of epoch 1
            best = None
        patience = max(5, recipe.epochs // 2)
        for report in train(self._training(self.model, recipe, self.folder / CHECKPOINT, begun.precision)):
            progress.tell(report, f"training {self.name}")
            if best is None or (report.epoch > best.epoch and _rank(report) > _rank(best)):
                best = self._keep(report)
            if report.epoch - best.epoch >= patience:
                break
        if best is None:
            return Trained(rate, 0, progress.seconds, begun.precision)
        self.model.load_state_dict(read_state(self.folder / BEST_WEIGHTS))
        return Trained(rate, best.epoch, progress.seconds, begun.precision)

    def clear(self) -> None:
        """Remove what only an interrupted training needs."""
        for name in (CHECKPOINT, BEST, BEST_WEIGHTS, BEGUN):
            (self.folder / name).unlink(missing_ok=True)

    def _begun(self) -> _Begun:
        """What an interrupted training did, but for the precision of another device; else what is fastest here."""
        steps = steps_per_epoch(len(self.data.train), self.recipe.batch_size)
        chooses = chooses_precision(self.recipe.epochs * steps, self.device)
        if (known := read_sealed(self.folder / BEGUN, _Begun)) is not None:
            return known if chooses else known.model_copy(update={"precision": None})
        begun, watch = _Begun(), Stopwatch()
        if chooses:
            batch = min(self.recipe.batch_size, len(self.data.train))
            precision, _ = fastest_precision(self.model, self.data.shown_size, batch, self.device)
            begun = _Begun(precision=precision, seconds=watch.seconds)
        write_sealed(self.folder / BEGUN, begun)
        return begun

    def _best_rate(self, progress: _Progress, begun: _Begun) -> float:
        """Of three, that of the short run which did best on validation."""
        steps = steps_per_epoch(len(self.data.train), self.recipe.batch_size)
        short = short_epochs(self.recipe.epochs, steps)
        if not short:
            return self.recipe.learning_rate
        tried = list(begun.tried)
        progress.take_up(sum(each.seconds for each in tried), short * len(tried))
        for rate in preset(self.recipe.fine_tuning).teacher[len(tried) :]:
            tried.append(self._try(rate, short, progress, begun.precision))
            write_sealed(self.folder / BEGUN, begun.model_copy(update={"tried": tuple(tried)}))
        best = max(tried, key=_rank)
        if best.val_accuracy < 0:
            raise TrainingError(f"the loss of {self.name} diverged at every learning rate that was tried")
        return best.rate

    def _try(self, rate: float, epochs: int, progress: _Progress, precision: Precision | None) -> Tried:
        recipe = self.recipe.model_copy(update={"learning_rate": rate, "epochs": epochs})
        checkpoint = self.folder / f"short-{rate:g}.pt"
        diverged = Tried(rate=rate, val_accuracy=-1.0, val_nll=1e30)
        before, tried = progress.seconds, diverged
        try:
            for report in train(self._training(copy.deepcopy(self.model), recipe, checkpoint, precision)):
                progress.tell(report, f"trying learning rate {rate:g} on {self.name}")
                tried = Tried(rate=rate, val_accuracy=report.val_accuracy, val_nll=report.val_nll)
        except TooLargeError:  # no learning rate makes it fit
            raise
        except TrainingError:
            tried = diverged
        checkpoint.unlink(missing_ok=True)
        return tried.model_copy(update={"seconds": progress.seconds - before})

    def _training(self, model: nn.Module, recipe: Recipe, checkpoint: Path, precision: Precision | None) -> Training:
        return Training(
            data=self.data,
            model=model,
            normalisation=self.normalisation,
            recipe=recipe,
            seed=SEED,
            views_seed=VIEWS_SEED,
            device=self.device,
            checkpoint=checkpoint,
            deterministic=self.deterministic,
            precision=precision,
        )

    def _keep(self, report: EpochReport) -> _Best:
        save_state(self.folder / BEST_WEIGHTS, self.model.state_dict())
        best = _Best(epoch=report.epoch, val_accuracy=report.val_accuracy, val_nll=report.val_nll)
        write_sealed(self.folder / BEST, best)
        return best


@dataclass(frozen=True)
class Trained:
    """What was chosen, the epoch that was kept, and the device seconds of all runs."""

    rate: float
    epoch: int
    seconds: float
    precision: Precision | None


def short_epochs(epochs: int, steps: int) -> int:
    """Epochs, of so many steps, of each short run; none where it would be too short to tell anything."""
    short = max(1, epochs // SHORT_SHARE)
    return short if short < epochs and short * steps >= LEAST_STEPS else 0


def all_epochs(epochs: int, steps: int, fine_tuning: bool) -> int:
    """Of the long training and of the short runs before it."""
    return epochs + len(preset(fine_tuning).teacher) * short_epochs(epochs, steps)


def chooses_precision(steps: int, device: str) -> bool:
    """Whether a training of so many steps is long enough to time precisions, where there is a choice."""
    return steps >= LEAST_STEPS and has_choice_of_precision(device)


@dataclass(frozen=True)
class StepSeconds:
    """Device seconds of an image in a teacher's training steps; timed on copies of the model, when asked for."""

    model: nn.Module
    image_size: int
    batch_size: int
    device: str

    def of(self, steps: int) -> float:
        """In a training of so many steps, in the precision that it has."""
        return self._fastest if chooses_precision(steps, self.device) else self._usual

    @cached_property
    def _fastest(self) -> float:
        return fastest_precision(self.model, self.image_size, self.batch_size, self.device)[1]

    @cached_property
    def _usual(self) -> float:
        return training_seconds_per_image(copy.deepcopy(self.model), self.image_size, self.batch_size, self.device)


def within_time(recipe: Recipe, model: nn.Module, data: TaskData, device: str, limit: float) -> Recipe:
    """The recipe with as many epochs as a run limited to so many seconds has time for, at least one.

    A step is timed on a copy of the model, so the schedule of what is trained then comes to its end.
    """
    batch, steps = min(recipe.batch_size, len(data.train)), steps_per_epoch(len(data.train), recipe.batch_size)
    images = len(data.train) + FORWARD * len(data.val)
    seconds = StepSeconds(model, data.shown_size, batch, device)

    def fits(epochs: int) -> bool:
        an_epoch = images * seconds.of(epochs * steps)
        return all_epochs(epochs, steps, recipe.fine_tuning) * an_epoch <= TIME_SHARE * limit

    fitting = (epochs for epochs in range(recipe.epochs, 0, -1) if fits(epochs))
    return recipe.model_copy(update={"epochs": next(fitting, min(1, recipe.epochs))})


def _rank(found: EpochReport | Tried | _Best) -> tuple[float, float]:
    return found.val_accuracy, -found.val_nll


class _Progress:
    """Tells the listener of every epoch, and adds up their seconds."""

    def __init__(self, training: TeacherTraining, listener: Listener) -> None:
        self._listener = listener
        steps = steps_per_epoch(len(training.data.train), training.recipe.batch_size)
        self._total = all_epochs(training.recipe.epochs, steps, training.recipe.fine_tuning)
        self._done, self.seconds = 0, 0.0

    def take_up(self, seconds: float, epochs: int) -> None:
        """What an interrupted session has done."""
        self.seconds += seconds
        self._done += epochs

    def tell(self, report: EpochReport, what: str) -> None:
        """One epoch more."""
        self._done += 1
        self.seconds += report.seconds
        left = self.seconds / self._done * (self._total - self._done)
        self._listener.advance(f"{what}, validation accuracy {report.val_accuracy:.1%}", self._done, self._total, left)
