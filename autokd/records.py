"""Frozen records that travel between the rooms of the house; every one of them is plain JSON on disk.

Units: accuracies, retentions and gains are fractions (0.971, not 97.1); money is US dollars; cost is dollars per
1,000 requests; latency is milliseconds; durations are seconds.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

SCHEMA_VERSION = 1

Arm = Literal["distill", "direct"]
ARMS: tuple[Arm, ...] = ("distill", "direct")
Loss = Literal["kl", "kl_zscore", "dist", "dkd", "hard"]
Schedule = Literal["cosine", "linear", "constant"]
TrialState = Literal["running", "complete", "pruned", "failed"]
Role = Literal["pick", "default", "twin", "longer", "published", "edge"]
Side = Literal["below", "above"]  # of the range of ratios in which students are distilled
Verdict = Literal["distill", "use_small_model", "keep_teacher", "none"]
Strength = Literal["strong", "weak"]
Subject = Literal["teacher", "distilled", "direct", "twin"]


class Record(BaseModel):
    """An immutable value; two records with equal fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=True)


# Infinite where a model cannot serve at all; JSON has no word for that and says null.
Dollars = Annotated[float, BeforeValidator(lambda value: math.inf if value is None else value)]


class Interval(Record):
    """A mean with the two ends of its interval."""

    mean: Dollars
    low: Dollars
    high: Dollars
    level: float = 0.95


class Difference(Interval):
    """A paired difference; `detectable` is the smallest one that this test set could have shown."""

    detectable: float


class Latency(Record):
    """Milliseconds for one batch at the serving batch size."""

    p50: float
    p95: float
    p99: float


# ---- before training -------------------------------------------------------------------------------------------


class Transform(Record):
    """How an image becomes an input: the same crop for every model, before each applies its own mean and deviation."""

    image_size: int
    crop: Literal["padded", "resized"]  # padded: shifts by up to an eighth; resized: random resized crop
    flip: bool
    interpolation: Literal["bilinear", "bicubic"] = "bicubic"
    colour: float = 0.0  # brightness, contrast and saturation each scaled by 1 - colour to 1 + colour
    erase: float = 0.0  # probability of random erasing


class Task(Record):
    """What is being solved: data, classes and the three splits."""

    data: str
    fingerprint: str  # of images, labels, class order, splits, and of which labels are hidden
    classes: tuple[str, ...]
    train: int  # with or without a label
    val: int
    test: int
    transform: Transform
    split_note: str  # where validation and test come from, in one sentence
    test_is_separate: bool  # the data set ships its own test part
    skipped: tuple[str, ...] = ()  # corrupt files left out on request
    labelled: int | None = None  # training images whose label students see; None: all of them
    unhidden_fingerprint: str | None = None  # as it would be with no label hidden; None: none is

    @property
    def unlabelled(self) -> int:
        """Training images whose label students do not see."""
        return 0 if self.labelled is None else self.train - self.labelled

    @property
    def shared_fingerprint(self) -> str:
        """That of all tasks which differ in hidden labels only; teachers trained here and soft labels belong to it."""
        return self.unhidden_fingerprint or self.fingerprint

    @property
    def training_images(self) -> str:
        """How many there are, in words."""
        of_them = f", {self.labelled:,} of them labelled" if self.unlabelled else ""
        return f"{self.train:,} training images{of_them}"


class Teacher(Record):
    """The verified teacher."""

    name: str
    weights: str  # how it came by its weights, in one phrase
    fingerprint: str
    parameters: int
    macs: int
    val_accuracy: float
    test_accuracy: float
    temperature: float  # that calibrates it on validation data
    seconds: float  # device seconds spent on training it in this run; 0 when it was reused or given
    own_weights: bool  # came with weights that may have seen images of a test part cut from training


class Reading(Record):
    """One model's serving cost: measured in turn with the teacher, or priced by its parameters."""

    model: str
    capacity_rps: float | None  # requests per second of one replica; None when priced by parameters
    capacity_interval: Interval | None = None  # of capacity_rps; readings without it scale the cost's
    latency_ms: Latency | None
    cost_usd_per_1k: Interval
    noisy: bool
    batch_size: int | None
    rounds: int


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
    published: str | None = None  # tag of the weights that timm publishes for it, used or not
    weights: StartWeights | None = None  # None: it starts from random weights


class CostPrediction(Record):
    """How a long list was thinned by predicted cost; errors are shares of the predicted cost."""

    fitted_on: int  # students that were measured first
    median_error: float  # of these, each predicted from all others
    largest_error: float
    margin: float  # above the budget by more than this share: refused without being measured
    refused: int
    checked_on: int  # students that were measured afterwards
    checked_median_error: float | None
    checked_largest_error: float | None


class LeftOut(Record):
    """A student of the space that is no candidate, and why."""

    student: str
    parameters: int | None
    ratio: float | None
    reason: str
    cost_usd_per_1k: float | None = None


# ---- training --------------------------------------------------------------------------------------------------


class Recipe(Record):
    """Everything that one training depends on beside the student and the seed; alpha = 0 is the direct arm."""

    temperature: float = 1.0
    alpha: float = 0.0
    loss: Loss = "kl"
    beta: float = 1.0  # of the loss dkd
    learning_rate: float
    schedule: Schedule = "cosine"  # of the learning rate after its warm-up
    weight_decay: float = 0.05
    label_smoothing: float = 0.0  # of the labels' own term alone
    mixup: float = 0.0  # parameter of its Beta distribution; 0 leaves it out
    cutmix: float = 0.0
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


class Evaluation(Record):
    """What a model's logits on the test images say beside its accuracy; shares are of all images."""

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
    evaluation: Evaluation | None = None


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
    seeds: tuple[SeedResult, ...]  # of a published model, which nothing is trained of, one
    weights: StartWeights | None = None  # that it started from; None: random ones

    @property
    def val_accuracy(self) -> float:
        """Mean over seeds, the number by which an arm's pick is chosen."""
        return sum(s.val_accuracy for s in self.seeds) / len(self.seeds)

    @property
    def shipped(self) -> SeedResult:
        """The training whose weights are kept and shipped: the best on validation, then the lowest seed."""
        return max(self.seeds, key=lambda s: (s.val_accuracy, -s.seed))


# ---- conditions of the verdict ---------------------------------------------------------------------------------


class Policy(Record):
    """What the user asks of the verdict."""

    max_cost: float
    min_retention: float = 0.95
    min_gain: float = 0.003
    prefer: Literal["accuracy", "savings"] = "accuracy"
    max_latency_ms: float | None = None
    requests_per_month: float | None = None
    horizon_months: float = 12.0
    adoption_usd: float = 0.0
    max_negative_flips: float | None = None  # share of all test images that the teacher gets right, the student wrong
    min_class_recall: float | None = None  # of every class, the worst one included


class CostModel(Record):
    """How seconds become dollars."""

    model: Literal["measured", "params"]
    usd_per_1k_per_billion: float = 0.10
    price_usd_per_hour: float
    price_source: str
    price_date: str
    instance: str
    train_price_usd_per_hour: float
    utilization: float = 0.3
    accelerators_per_replica: int = 1
    requests_per_month: float | None = None
    min_replicas: int = 1
    peak_to_mean: float = 3.0
    target_utilization: float = 0.7
    device: str
    runtime: Literal["eager", "compile"] = "eager"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    batch_size: int = 1
    image_size: int


# ---- the result (report.json) ----------------------------------------------------------------------------------


class SeededInterval(Interval):
    """Accuracy over `seeds` trainings."""

    seeds: int


class ClassRecall(Record):
    """Recall of one class over all seeds."""

    name: str
    images: int
    recall: SeededInterval


class Option(Record):
    """One of the three things that can be done."""

    student: str  # the teacher's name for the teacher
    finalist: int | None
    parameters: int
    ratio: float
    macs: int
    accuracy: SeededInterval
    retention: Interval
    cost_usd_per_1k: Dollars
    monthly_usd: float | None
    latency_ms: Latency | None
    capacity_rps: float | None
    one_time_usd: float
    eligible: bool
    worthwhile: bool
    noisy: bool
    why_not: tuple[str, ...]


class Options(Record):
    """The three rows of the answer."""

    teacher: Option
    direct: Option | None
    distilled: Option | None


class FinalistSummary(Record):
    """A finalist as the report lists it."""

    number: int
    arm: Arm
    role: Role
    student: str
    twin_of: tuple[int, ...]
    val_accuracy: float
    accuracy: SeededInterval
    retention: Interval
    cost_usd_per_1k: Dollars
    latency_ms: Latency | None
    noisy: bool
    device_seconds: float
    eligible: bool
    worthwhile: bool
    why_not: tuple[str, ...]
    weights: StartWeights | None = None


class Economics(Record):
    """What the recommended student costs once, and what it saves."""

    one_time_usd: dict[str, float]  # by what was paid for: the stages of the run, and adoption
    saving_usd_per_1k: Interval | None  # None, as all below, beside a teacher that cannot be served
    saving_usd_per_month: Interval | None  # None without a volume
    break_even_requests: Interval | None  # infinite where it may never pay
    break_even_months: Interval | None  # None without a volume


class VerdictMap(Record):
    """The verdict over request volume and utilization, billed by whole replicas; all else as it is.

    verdicts[i][j] belongs to utilization[i] (share of a replica's capacity that is used at the peak) and to
    requests_per_month[j].
    """

    utilization: tuple[float, ...]
    requests_per_month: tuple[float, ...]
    verdicts: tuple[tuple[Verdict, ...], ...]


class Advantage(Difference):
    """Accuracy of a distilled finalist minus that of a direct one.

    The p-value is two-sided; `p_holm` is corrected for the number of contrasts that are reported (Holm 1979).
    """

    distilled: int
    direct: int
    p: float | None = None
    p_holm: float | None = None


class Edge(Record):
    """A student beyond the range of ratios, distilled and not: whether the range holds on this very task."""

    side: Side
    limit: float  # the end of the range that its ratio lies beyond
    ratio: float
    student: str
    finalist: int
    twin: int
    accuracy: SeededInterval
    twin_accuracy: SeededInterval
    gain: Difference
    inside: int | None  # the finalist within the range that has the same recipe
    inside_gain: Difference | None
    lead: Difference | None  # the gain within the range minus the gain beyond it, paired


class Decision(Record):
    """What the policy makes of the evidence."""

    verdict: Verdict
    strength: Strength
    condition: str | None
    summary: str  # one sentence
    reasons: tuple[str, ...]
    weaknesses: tuple[str, ...]  # why it is weak, and what would settle it
    settling_seeds: int | None = None  # seeds of every finalist that would settle all that seeds can settle
    would_change: tuple[str, ...]
    options: Options
    gain: Difference | None
    advantage: Difference | None
    break_even_requests: float | None
    economics: Economics | None = None  # None where no student is recommended
    verdict_map: VerdictMap | None = None  # None where cost does not depend on them
    finalists: tuple[FinalistSummary, ...]
    advantages: tuple[Advantage, ...]
    edges: tuple[Edge, ...] = ()


class Quality(Record):
    """What is reported of a model beside its accuracy, as means over its seeds; None where a run has no such figure."""

    subject: Subject
    student: str  # the teacher's name for the teacher
    finalist: int | None
    seeds: int
    nll: float | None  # nats
    scaled_nll: float | None  # after temperature scaling on validation images
    calibration_error: float | None
    scaled_calibration_error: float | None
    temperature: float | None  # of that scaling
    agreement: float | None  # with the teacher's answers
    negative_flips: float | None  # share of the images that the teacher has right and this model wrong
    megabytes: float  # of the weights on disk, 10^6 bytes; of the teacher four bytes a parameter


class ClassRow(Record):
    """One class: the model that would be shipped beside the teacher; the means are over seeds."""

    name: str
    images: int
    teacher_recall: float | None  # None for a class without test images
    recall: Interval | None  # Wilson's
    negative_flips: int  # images that the teacher has right and this model wrong
    positive_flips: int
    mean_negative_flips: float
    mean_positive_flips: float
    p: float | None  # exact McNemar test against the teacher, Holm's correction over the classes


class ClassAudit(Record):
    """One student class by class; `worse` and `better` than the teacher are those with p below 0.05."""

    subject: Subject
    student: str
    finalist: int
    seed: int  # that would be shipped, and that the tests are about
    worse: tuple[str, ...]
    better: tuple[str, ...]
    lowest: str | None  # the class with the lowest recall
    rows: tuple[ClassRow, ...]  # in the order of the labels


class EntropyQuarter(Record):
    """A quarter of the test images by the entropy of the teacher's answer at temperature 1, in nats."""

    low: float
    high: float
    images: int
    teacher_accuracy: float
    accuracy: float  # of the distilled student, over its seeds
    twin_accuracy: float
    gain: Difference
    p: float  # that distilling changed nothing, Holm's correction over the quarters


class Ambiguity(Record):
    """The gain by how sure the teacher is, from the surest quarter to the least sure; `seen` says it in words."""

    distilled: int
    twin: int
    quarters: tuple[EntropyQuarter, ...]
    seen: str


class EqualTerms(Record):
    """The distilled student's advantage on equal terms, with the device seconds of one training of either.

    The distilled student's seconds include its share of the soft labels.
    """

    terms: Literal["trials", "device_seconds"]
    distilled: int
    direct: int
    direct_student: str
    advantage: Difference
    distilled_seconds: float
    direct_seconds: float


class Audit(Record):
    """What a buyer asks beside the accuracy; it moves the verdict only by a limit on flips or recall."""

    quality: tuple[Quality, ...]
    classes: tuple[ClassAudit, ...]
    ambiguity: Ambiguity | None
    equal_terms: tuple[EqualTerms, ...]


class SearchSummary(Record):
    """What the search did and spent."""

    trials: int
    complete: int
    pruned: int
    failed: int
    device_seconds: float  # of teacher, soft labels, search and confirmation together
    usd: float
    stages: dict[str, float]  # device seconds by stage: teacher, soft_labels, search, confirmation
    importance: dict[str, dict[str, float]]  # arm -> parameter -> share of the variance of validation accuracy
    notes: tuple[str, ...] = ()  # trouble that bears on the evidence: an empty arm, a timeout, failed trials
    remarks: tuple[str, ...] = ()  # what a reader should know and what is no trouble: a live teacher, fewer views


class Report(Record):
    """report.json: the decision, and all that is needed to read it years later."""

    schema_version: int = SCHEMA_VERSION
    run: str
    created: str
    verdict: Verdict
    strength: Strength
    condition: str | None
    summary: str
    reasons: tuple[str, ...]
    weaknesses: tuple[str, ...]
    settling_seeds: int | None = None
    would_change: tuple[str, ...]
    task: dict[str, Any]
    teacher: Teacher
    policy: Policy
    cost_model: CostModel
    options: Options
    gain: Difference | None
    advantage: Difference | None
    break_even_requests: float | None
    break_even_date: str | None = None  # ISO 8601; None without a volume, or where it may never be
    economics: Economics | None = None
    verdict_map: VerdictMap | None = None
    finalists: tuple[FinalistSummary, ...]
    advantages: tuple[Advantage, ...]
    edges: tuple[Edge, ...] = ()
    search: SearchSummary
    left_out: tuple[LeftOut, ...]
    formula: str
    versions: dict[str, str]
    hardware: dict[str, str]
    command: str  # of the search
    conditions: dict[str, int | float | str] = {}  # that another verdict was asked for under, by their names
    student_path: str | None = None
    student_test_accuracy: float | None = None
    audit: Audit | None = None
