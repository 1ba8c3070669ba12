"""report.json: the decision, and all that is needed to read it years later."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from autokd.records.base import SCHEMA_VERSION, Difference, Interval, Record, Strength, Subject, Verdict
from autokd.records.cost import CostModel, Decoding
from autokd.records.decision import (
    Advantage,
    AtStake,
    Economics,
    Edge,
    FinalistSummary,
    Option,
    Options,
    Policy,
    VerdictMap,
)
from autokd.records.task import Teacher
from autokd.records.training import LeftOut


class Quality(Record):
    """Other quality metrics of a model than accuracy, as means over its seeds; None where there is no such figure."""

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
    """One class: the model that would be shipped compared with the teacher; the means are over seeds."""

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
    """One student class by class; `worse` and `better` than the teacher are those that a test shows."""

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
    """Other quality metrics than accuracy; they move the verdict only by a limit on flips or recall."""

    quality: tuple[Quality, ...]
    classes: tuple[ClassAudit, ...]
    ambiguity: Ambiguity | None
    equal_terms: tuple[EqualTerms, ...]


NoteKind = Literal[
    "nothing_to_train",  # no student fits both the range of ratios and the budget
    "costs_cut_short",  # students that were not measured for want of time
    "screening_cut_short",
    "arm_empty",
    "arm_cut_short",
    "teacher_cut_short",
    "trials_failed",
    "finalist_failed",
    "time_limit",  # too short for a verdict with evidence
    "seeds_left_out",  # by the time limit, as finalists
    "finalists_left_out",
    "student_forms",  # the picks could not be measured in cheaper forms
    "cost_drift",  # the machine's speed at the end of the run is another than at its begin
    "costs_elsewhere",  # measured on another host than the search's
    "capacity_unknown",  # a latency limit that capacities were not measured for
    "first_proposal_left_out",
    "loss_replaced",  # by one that works with two classes
    "soft_labels",
    "start_weights",
    "labels",
    "copies",  # of training images, among those of validation or test
    "edge_not_probed",
    "look",
]


class Note(Record):
    """Something that a reader of a run should know; `text` is one sentence."""

    kind: NoteKind
    text: str
    finalist: int | None = None  # that it is about


class SearchSummary(Record):
    """What the search did and spent."""

    trials: int
    complete: int
    pruned: int
    failed: int
    device_seconds: float  # of teacher, soft labels, search and confirmation together
    usd: float
    stages: dict[str, float]  # device seconds by stage: teacher, soft_labels, screening, search, confirmation
    candidates: int = 0  # students within ratio and budget
    looked_at: int = 0  # of them, those that were trained for an epoch at least
    short_list: tuple[str, ...] = ()  # whose recipes were searched, most promising first
    importance: dict[str, dict[str, float]]  # arm -> parameter -> share of the variance of validation accuracy
    notes: tuple[
        Note, ...
    ] = ()  # trouble that bears on the evidence: an empty arm, a limit that was reached, failed trials
    remarks: tuple[Note, ...] = ()  # what a reader should know and what is not trouble: a live teacher, fewer views

    @property
    def looked_at_of(self) -> str:
        """How many students were looked at, of how many, in words; empty where there were none."""
        if not self.candidates:
            return ""
        if not self.looked_at:
            return f"all {self.candidates:,} students on the short list"
        return f"looked at {self.looked_at:,} of {self.candidates:,} students; {len(self.short_list)} on the short list"


class Report(Record):
    """report.json: the decision, and all that is needed to read it years later."""

    schema_version: int = SCHEMA_VERSION
    run: str
    created: str
    verdict: Verdict
    strength: Strength
    repeatability: float
    at_stake: AtStake
    condition: str | None
    summary: str
    reasons: tuple[str, ...]
    key_reasons: tuple[str, ...] = ()
    weaknesses: tuple[str, ...]
    settles: str | None = None
    settling_seeds: int | None = None
    would_change: tuple[str, ...]
    nearest_changes: tuple[str, ...] = ()
    task: dict[str, Any]
    teacher: Teacher
    policy: Policy
    cost_model: CostModel
    decoding: Decoding | None = None
    options: Options
    gain: Difference | None
    gain_over_best: Difference | None = None
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
    conditions: dict[str, int | float | str] = Field(
        default={}
    )  # that another verdict was asked for under, by their names
    student_path: str | None = None
    student_test_accuracy: float | None = None
    audit: Audit | None = None

    @property
    def taken(self) -> Option | None:
        """The option that the verdict is to take; None where nothing meets the limits."""
        return self.options.teacher if self.verdict == "keep_teacher" else self.options.recommended(self.verdict)

    def __repr__(self) -> str:
        return f"<Report {self.verdict} ({self.strength}): {self.summary}>"

    __str__ = __repr__
