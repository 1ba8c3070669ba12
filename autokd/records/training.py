"""One training and what came of it: students, recipes, trials, finalists."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from autokd.records.base import Arm, Dollars, Loss, Record, Role, Schedule, ScreeningState, TrialState
from autokd.records.cost import Reading


class StartWeights(Record):
    """Weights that a student starts from, in both arms alike."""

    source: str  # timm's tag, or the name of a file
    licence: str | None = None  # where timm knows it
    fingerprint: str  # sixteen digits that name the exact tensors
    key: str  # names them in the cache
    as_is: bool = False  # their head is of the task's own classes, so that they can be used without training

    @property
    def label(self) -> str:
        """Source and licence, for a table."""
        return self.source if self.licence is None else f"{self.source}, {self.licence}"


class Candidate(Record):
    """A student that satisfies ratio and budget for at least one arm."""

    student: str
    family: str
    parameters: int
    ratio: float
    macs: int
    arms: tuple[Arm, ...]
    reading: Reading
    predicted_usd_per_1k: float | None = None  # from its size and the readings of other students
    promise: float = 0.0  # expected before anything is trained, to order lists; see tune/prior_knowledge.py
    published: str | None = None  # tag of the weights that timm publishes for it, used or not
    weights: StartWeights | None = None  # None: it starts from random weights


class LeftOut(Record):
    """A student of the space that is not a candidate, and why."""

    student: str
    parameters: int | None
    ratio: float | None
    reason: str
    cost_usd_per_1k: float | None = None


class Recipe(Record):
    """Everything that one training depends on, except student and seed; alpha = 0 is the direct arm."""

    temperature: float = 1.0
    alpha: float = 0.0
    loss: Loss = "kl"
    beta: float = 1.0  # of the loss dkd
    learning_rate: float  # of all but the head, which learns faster in fine-tuning
    fine_tuning: bool = False  # the model starts from given weights
    schedule: Schedule = "cosine"  # of the learning rate after its warm-up
    weight_decay: float = 0.05
    label_smoothing: float = 0.0  # of the labels' own term alone
    mixup: float = 0.0  # parameter of its Beta distribution; 0 leaves it out
    cutmix: float = 0.0
    drop_path: float = 0.0  # probability of leaving out the last residual block, less for earlier ones
    ema: float = 0.0  # decay of the moving average of weights that is evaluated and kept; 0 leaves it out
    epochs: int
    batch_size: int


class Proposal(Record):
    """A student and a recipe, under the number they carry through the whole run."""

    number: int
    arm: Arm
    student: str
    recipe: Recipe


class EpochReport(Record):
    """One finished epoch; one row of history.csv."""

    epoch: int  # from 1
    train_loss: float
    val_accuracy: float
    val_nll: float
    learning_rate: float
    seconds: float  # device seconds of this epoch, evaluation included
    accumulate: int = 1  # parts that a batch was trained in, for lack of memory
    note: str = ""  # what a reader of the record should know of this training
    restored: bool = False  # from a checkpoint: it has been told, and paid for, before


class TrialRecord(Record):
    """One row of trials.csv."""

    number: int
    arm: Arm
    student: str
    parameters: int
    ratio: float
    macs: int
    cost_usd_per_1k: Dollars
    recipe: Recipe
    state: TrialState
    epochs: int
    val_accuracy: float | None  # after the last epoch that was trained
    seconds: float
    error: str | None = None
    note: str = ""


class ShortTraining(Record):
    """A training of its own in the screening: the learning rate falls to its end."""

    planned: int  # epochs
    val_accuracies: tuple[float, ...] = ()  # after each epoch
    epoch_seconds: tuple[float, ...] = ()  # of the device

    @property
    def done(self) -> bool:
        """Whether all of its epochs were trained."""
        return len(self.val_accuracies) >= self.planned


class ScreenedStudent(Record):
    """A student in the screening; one row of screening.csv."""

    number: int  # its place among the candidates
    student: str
    arms: tuple[Arm, ...]
    parameters: int
    ratio: float
    macs: int
    cost_usd_per_1k: Dollars
    promise: float = 0.0  # as of the candidate
    recipe: Recipe  # but for its epochs, which each training has of its own
    state: ScreeningState
    trainings: tuple[ShortTraining, ...] = ()  # one for each rung that it came to
    error: str | None = None

    @property
    def epochs(self) -> int:
        """Epochs that were trained, of all trainings."""
        return sum(len(training.val_accuracies) for training in self.trainings)

    @property
    def looks(self) -> tuple[float, ...]:
        """Validation accuracy at the end of each training that is done."""
        return tuple(training.val_accuracies[-1] for training in self.trainings if training.done)

    @property
    def val_accuracy(self) -> float | None:
        """At the end of its last training; where none is done, after the last epoch that was trained."""
        seen = self.looks or tuple(value for training in self.trainings for value in training.val_accuracies)
        return seen[-1] if seen else None

    @property
    def seconds(self) -> float:
        """Of the device."""
        return sum(sum(training.epoch_seconds) for training in self.trainings)


class Rung(Record):
    """The epochs of a training after which students are compared, and how many of each arm go on."""

    epochs: int
    staying: int


class Screening(Record):
    """screening.json: every candidate in a short training, the promising ones in a longer one; then the short list."""

    rungs: tuple[Rung, ...]
    students: tuple[ScreenedStudent, ...]
    short_list: tuple[str, ...] = ()  # most promising first; empty while it goes on
    agreement: float | None = None  # rank correlation of what was promised with the accuracies at the first rung

    @property
    def looked_at(self) -> int:
        """Students that were trained for an epoch at least."""
        return sum(1 for student in self.students if student.epochs)

    @property
    def seconds(self) -> float:
        """Of the device, of all trainings."""
        return sum(student.seconds for student in self.students)


class Evaluation(Record):
    """What a model's logits on the test images say; shares are of all images."""

    accuracy: float
    nll: float  # nats
    calibration_error: float
    temperature: float  # that calibrates it on validation images
    scaled_nll: float  # after division by that temperature
    scaled_calibration_error: float
    agreement: float  # same class as the teacher's
    negative_flips: float  # the teacher is right, this model is not
    recall: tuple[float | None, ...]  # by class; None for a class without images


class SeedResult(Record):
    """One training of a finalist from one seed."""

    seed: int
    val_accuracy: float
    test_accuracy: float
    device_seconds: float
    accumulate: int = 1  # parts in which its batches were trained, for lack of memory
    late_gain: float | None = None  # in validation accuracy, in the last quarter of the epochs; None: too few to tell
    evaluation: Evaluation | None = None


def beyond_range(finalists: Iterable[tuple[int, Role, tuple[int, ...]]]) -> set[int]:
    """Numbers of the finalists beyond the range of ratios, and of the twins that were trained for them alone.

    finalists: number, role and the numbers that each is the twin of.
    """
    listed = [*finalists]
    edges = {number for number, role, _ in listed if role == "edge"}
    return edges | {number for number, role, twins in listed if role == "twin" and twins and edges.issuperset(twins)}


class FinalistRecord(Record):
    """A proposal retrained from several fresh seeds."""

    number: int
    arm: Arm
    role: Role
    student: str
    twin_of: tuple[int, ...] = ()  # numbers of the distilled finalists that this one is the twin of
    trial: int | None  # the trial it was proposed by
    recipe: Recipe
    parameters: int
    ratio: float
    macs: int
    reading: Reading
    seeds: tuple[SeedResult, ...] = Field(min_length=1)  # of a published model, which nothing is trained of, one
    weights: StartWeights | None = None  # that it started from; None: random ones
    contender: bool = True  # False: after the first two seeds it could no longer become its arm's pick

    @property
    def proposal(self) -> Proposal:
        """What was trained."""
        return Proposal(number=self.number, arm=self.arm, student=self.student, recipe=self.recipe)

    @property
    def val_accuracy(self) -> float:
        """Mean over seeds, the number by which an arm's pick is chosen."""
        return sum(s.val_accuracy for s in self.seeds) / len(self.seeds)

    @property
    def late_gain(self) -> float | None:
        """Of validation accuracy in the last quarter of the epochs, mean over seeds; None where none is known."""
        known = [s.late_gain for s in self.seeds if s.late_gain is not None]
        return sum(known) / len(known) if known else None

    @property
    def shipped(self) -> SeedResult:
        """The training whose weights are kept and shipped: the best on validation, then the lowest seed."""
        return max(self.seeds, key=lambda s: (s.val_accuracy, -s.seed))
