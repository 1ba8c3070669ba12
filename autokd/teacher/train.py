"""A teacher trained here: short runs choose the learning rate, one long training keeps its best epoch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import nn

from autokd.cache.sealed import read_sealed, write_sealed
from autokd.data.task import TaskData
from autokd.errors import TooLargeError, TrainingError
from autokd.precision import Precision
from autokd.progress import Listener
from autokd.records import EpochReport, Recipe, Record
from autokd.teacher.precision import training_precision
from autokd.training.batches import steps_per_epoch
from autokd.training.compile_and_timing import FORWARD, training_seconds_per_image
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
CHECKPOINT, BEST, BEST_WEIGHTS, RATES = "checkpoint.pt", "best.json", "best.safetensors", "rates.json"
TIME_LIMIT = "time_limit.json"


class Tried(Record):
    """How well a short run did on validation; worst of all where it diverged. `seconds` of the device."""

    rate: float
    seconds: float = 0.0
    val_accuracy: float
    val_nll: float


class _TimeLimit(Record):
    """Of the run that has begun a training, and where it trains."""

    seconds: float
    device: str


class _Rates(Record):
    tried: tuple[Tried, ...] = ()


class _Best(Record):
    epoch: int
    val_accuracy: float
    val_nll: float


@dataclass(frozen=True)
class TeacherTraining:
    """Everything that the training of a teacher needs; `recipe` has the usual learning rate.

    folder: in the cache; what an interrupted training has left there is continued. rates: tried before the long one.
    """

    name: str
    model: nn.Module
    normalisation: Normalisation
    data: TaskData
    recipe: Recipe
    folder: Path
    device: str
    rates: Sequence[float]
    deterministic: bool = True

    def run(self, listener: Listener) -> Trained:
        """Train `model`, in place; raises TrainingError where no learning rate works."""
        progress = _Progress(self, listener)
        rate = self._best_rate(progress)
        recipe = self.recipe.model_copy(update={"learning_rate": rate})
        best = read_sealed(self.folder / BEST, _Best)
        if best is None or not (self.folder / BEST_WEIGHTS).is_file():
            (self.folder / CHECKPOINT).unlink(missing_ok=True)  # whose weights would be taken for those of epoch 1
            best = None
        for report in train(self._training(self.model, recipe, self.folder / CHECKPOINT)):
            progress.tell(report, f"training {self.name}")
            if best is None or (report.epoch > best.epoch and _rank(report) > _rank(best)):
                best = self._keep(report)
        if best is None:
            return Trained(rate, 0, progress.seconds, self._precision)
        self.model.load_state_dict(read_state(self.folder / BEST_WEIGHTS))
        return Trained(rate, best.epoch, progress.seconds, self._precision)

    def clear(self) -> None:
        """Remove what only an interrupted training needs."""
        for name in (CHECKPOINT, BEST, BEST_WEIGHTS, RATES, TIME_LIMIT):
            (self.folder / name).unlink(missing_ok=True)

    def _best_rate(self, progress: _Progress) -> float:
        """Of three, that of the short run which did best on validation."""
        steps = steps_per_epoch(len(self.data.train), self.recipe.batch_size)
        short = short_epochs(self.recipe.epochs, steps)
        if not short:
            return self.recipe.learning_rate
        tried = list((read_sealed(self.folder / RATES, _Rates) or _Rates()).tried)
        progress.take_up(sum(each.seconds for each in tried), short * len(tried))
        for rate in self.rates[len(tried) :]:
            tried.append(self._try(rate, short, progress))
            write_sealed(self.folder / RATES, _Rates(tried=tuple(tried)))
        best = max(tried, key=_rank)
        if best.val_accuracy < 0:
            raise TrainingError(f"the loss of {self.name} diverged at every learning rate that was tried")
        return best.rate

    def _try(self, rate: float, epochs: int, progress: _Progress) -> Tried:
        recipe = self.recipe.model_copy(update={"learning_rate": rate, "epochs": epochs})
        checkpoint = self.folder / f"short-{rate:g}.pt"
        diverged = Tried(rate=rate, val_accuracy=-1.0, val_nll=1e30)
        before, tried = progress.seconds, diverged
        try:
            for report in train(self._training(copy.deepcopy(self.model), recipe, checkpoint)):
                progress.tell(report, f"trying learning rate {rate:g} on {self.name}")
                tried = Tried(rate=rate, val_accuracy=report.val_accuracy, val_nll=report.val_nll)
        except TooLargeError:  # no learning rate makes it fit
            raise
        except TrainingError:
            tried = diverged
        checkpoint.unlink(missing_ok=True)
        return tried.model_copy(update={"seconds": progress.seconds - before})

    def _training(self, model: nn.Module, recipe: Recipe, checkpoint: Path) -> Training:
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
            precision=self._precision,
        )

    @cached_property
    def _precision(self) -> Precision:
        return training_precision(self.model, self.data.shown_size, self.device)

    def _keep(self, report: EpochReport) -> _Best:
        save_state(self.folder / BEST_WEIGHTS, self.model.state_dict())
        best = _Best(epoch=report.epoch, val_accuracy=report.val_accuracy, val_nll=report.val_nll)
        write_sealed(self.folder / BEST, best)
        return best


@dataclass(frozen=True)
class Trained:
    """The learning rate that was chosen, the epoch that was kept, the seconds of all runs, and their precision."""

    rate: float
    epoch: int
    seconds: float
    precision: Precision


def short_epochs(epochs: int, steps: int) -> int:
    """Epochs, of so many steps, of each short run; none where it would be too short to tell anything."""
    short = max(1, epochs // SHORT_SHARE)
    return short if short < epochs and short * steps >= LEAST_STEPS else 0


def all_epochs(epochs: int, steps: int, fine_tuning: bool) -> int:
    """Of the long training and of the short runs before it."""
    return epochs + len(preset(fine_tuning).teacher) * short_epochs(epochs, steps)


def within_time(recipe: Recipe, model: nn.Module, data: TaskData, device: str, limit: float) -> Recipe:
    """The recipe with as many epochs as a run limited to so many seconds has time for, at least one.

    A step is timed on a copy of the model, so the schedule of what is trained then comes to its end.
    """
    batch = min(recipe.batch_size, len(data.train))
    precision = training_precision(model, data.shown_size, device)
    an_image = training_seconds_per_image(copy.deepcopy(model), data.shown_size, batch, device, precision)
    an_epoch = an_image * (len(data.train) + FORWARD * len(data.val))
    steps = steps_per_epoch(len(data.train), recipe.batch_size)
    affordable = TIME_SHARE * limit / an_epoch
    fitting = (e for e in range(recipe.epochs, 0, -1) if all_epochs(e, steps, recipe.fine_tuning) <= affordable)
    return recipe.model_copy(update={"epochs": next(fitting, min(1, recipe.epochs))})


def note_limit(folder: Path, limit: float, device: str) -> None:
    """A training begins here in a run that is limited to so many seconds."""
    write_sealed(folder / TIME_LIMIT, _TimeLimit(seconds=limit, device=device))


def begun_within(folder: Path, limit: float, device: str) -> bool:
    """Whether a training that began there under this very limit, on such a device, was interrupted."""
    return read_sealed(folder / TIME_LIMIT, _TimeLimit) == _TimeLimit(seconds=limit, device=device)


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
