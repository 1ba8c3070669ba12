"""The verdict: what the user asks of it, the options, and what the policy makes of the evidence."""

from __future__ import annotations

from typing import Literal

from autokd.plain_tables import html_table, text_table
from autokd.records.base import (
    ARM_OF,
    Arm,
    Difference,
    Dollars,
    Interval,
    Latency,
    Record,
    Role,
    SeededInterval,
    Side,
    Strength,
    Verdict,
)
from autokd.records.cost import Precision, RuntimeName, form_words
from autokd.records.option_cells import known_options, option_cells, option_heads
from autokd.records.training import StartWeights


class Policy(Record):
    """What the user asks of the verdict."""

    max_cost: float
    min_retention: float = 0.95
    min_gain: float = 0.003
    max_regret: float = 0.01  # points of accuracy that may be at stake in a strong verdict, as a share
    prefer: Literal["accuracy", "savings"] = "accuracy"
    max_latency_ms: float | None = None
    requests_per_month: float | None = None
    horizon_months: float = 12.0
    adoption_usd: float = 0.0
    max_negative_flips: float | None = None  # share of all test images that the teacher gets right, the student wrong
    min_class_recall: float | None = None  # of every class, the worst one included


class ClassRecall(Record):
    """Recall of one class over all seeds."""

    name: str
    images: int
    recall: SeededInterval


class OptionForm(Record):
    """A student in another form than the run's, which costs less; accuracies are those of the weights of one seed."""

    runtime: RuntimeName
    precision: Precision
    seed: int
    cost_usd_per_1k: Dollars
    noisy: bool
    val_accuracy: float
    test_accuracy: float
    lost: float  # of the test accuracy that these weights have in the run's form; below 0 where some is gained
    retention: Interval  # of the student over all its seeds, less what the form loses
    best: bool  # whether the student would be served so
    why_not: tuple[str, ...]  # why it is not good enough; empty where it is

    @property
    def words(self) -> str:
        """Such as `int8 in ONNX Runtime`."""
        return form_words(self.runtime, self.precision)


class Option(Record):
    """One of the three things that can be done."""

    student: str  # the teacher's name for the teacher, with its form where it is not that of the run
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
    batch_size: int | None = None  # this and what follows: None where it was not measured, as memory on CPUs
    load_seconds: float | None = None
    peak_memory_bytes: int | None = None
    energy_wh_per_1k: float | None = None
    one_time_usd: float
    eligible: bool
    worthwhile: bool  # nothing speaks against it
    pays: bool | None = None  # for itself; None for the teacher, and where that cannot be kept
    noisy: bool
    predicted: bool = False  # the cost, see Reading
    why_not: tuple[str, ...]
    forms: tuple[OptionForm, ...] = ()  # of a student: those that cost less than that of the run, cheapest first
    factor_in_best_forms: float | None = None  # cost of the teacher / of the student, each in its best form

    @property
    def other_form(self) -> OptionForm | None:
        """The best of the other forms that are good enough, else the cheapest; None where there is none."""
        good = [form for form in self.forms if not form.why_not]
        return next((form for form in good if form.best), None) or next(iter((*good, *self.forms)), None)


class Options(Record):
    """The three rows of the answer."""

    teacher: Option  # in the form in which it would be kept
    direct: Option | None
    distilled: Option | None
    teacher_forms: tuple[Option, ...] = ()  # all of them, that of the run first, where there are several

    def recommended(self, verdict: Verdict) -> Option | None:
        """The student's option that a verdict recommends; None where it recommends no student."""
        arms = {"distill": self.distilled, "direct": self.direct}
        return arms[ARM_OF[verdict]] if verdict in ARM_OF else None

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Cells of those that there are."""
        return [option_cells(name, option) for name, option in known_options(self).items()]

    def __repr__(self) -> str:
        heads = option_heads(self.teacher.accuracy.level)
        return text_table(heads, self.rows, right=range(2, len(heads)))

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """In a notebook."""
        heads = option_heads(self.teacher.accuracy.level)
        return html_table(heads, self.rows, ["text"] * 2 + ["number"] * (len(heads) - 2))


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
    predicted: bool = False  # the cost, see Reading
    device_seconds: float
    eligible: bool
    worthwhile: bool
    why_not: tuple[str, ...]
    weights: StartWeights | None = None


class Economics(Record):
    """What the recommended student costs once, and what it saves."""

    one_time_usd: dict[str, float]  # by what was paid for: the stages of the run, and adoption
    saving_usd_per_1k: Interval | None  # None, as all below, where the teacher cannot be served
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


class AtStake(Record):
    """What is given up at most if an option that was not taken is the better one: the ends of the intervals."""

    points: float  # of accuracy, as a share
    usd_per_1k: Dollars
    usd_per_month: Dollars | None = None  # None without a volume


class Decision(Record):
    """What the policy makes of the evidence."""

    verdict: Verdict
    strength: Strength
    repeatability: float  # share of repeats of the confirmation that would end in the same verdict
    at_stake: AtStake
    condition: str | None
    summary: str  # one sentence
    reasons: tuple[str, ...]
    key_reasons: tuple[str, ...] = ()  # the at most five of them that decided
    weaknesses: tuple[str, ...]  # why it is weak, and what is needed
    settles: str | None = None  # the evidence that would make it strong; None: it is, or no evidence would
    settling_seeds: int | None = None  # seeds of the contenders that would, where seeds alone do
    would_change: tuple[str, ...]
    nearest_changes: tuple[str, ...] = ()  # those of the at most three dials that take least, and all along the volume
    options: Options
    gain: Difference | None
    gain_over_best: Difference | None = None  # over the best direct training of the same student
    advantage: Difference | None
    break_even_requests: float | None
    economics: Economics | None = None  # None where no student is recommended
    verdict_map: VerdictMap | None = None  # None where cost does not depend on them
    finalists: tuple[FinalistSummary, ...]
    advantages: tuple[Advantage, ...]
    edges: tuple[Edge, ...] = ()
