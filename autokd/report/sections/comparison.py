"""The three options next to each other, and what the teacher contributed, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from autokd.decide.economics import costs_differ
from autokd.formatting import file_size
from autokd.records import Difference, Option, OptionForm, Report
from autokd.report import format as fmt
from autokd.report.sections.start_weights import is_untrained

MODEL, ENERGY, PAYS, WHY_NOT = "Model", "Energy per 1,000 requests", "Pays for itself", "Why not"


@dataclass(frozen=True)
class Cell:
    """A value, and in smaller type what qualifies it."""

    value: str
    detail: str = ""


@dataclass(frozen=True)
class OptionColumn:
    """The head of one option."""

    title: str
    chosen: bool


@dataclass(frozen=True)
class Comparison:
    """Rows of label and one cell an option; columns in the order teacher, direct, distilled."""

    columns: tuple[OptionColumn, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    interval: str


@dataclass(frozen=True)
class CostRatio:
    """A cost against the teacher's: the larger over the smaller, and which of them is the larger, if they differ."""

    factor: str
    higher: bool
    same: bool

    @property
    def words(self) -> str:
        """8.4x lower."""
        return "about the same" if self.same else f"{self.factor} {'higher' if self.higher else 'lower'}"


@dataclass(frozen=True)
class Finding:
    """A paired difference with what it means."""

    title: str
    value: str
    interval: str
    meaning: str


def comparison(report: Report) -> Comparison:
    """Teacher, direct and distilled under the same measures; the verdict's own column is marked."""
    options = (report.options.teacher, report.options.direct, report.options.distilled)
    direct = "Use as it is" if is_untrained(report, report.options.direct) else "Train directly"
    titles = ("Keep the teacher", direct, "Distill")
    verdicts = ("keep_teacher", "use_small_model", "distill")
    return Comparison(
        columns=tuple(OptionColumn(t, report.verdict == v) for t, v in zip(titles, verdicts, strict=True)),
        rows=tuple(
            (label, cells)
            for label, make in _rows(report)
            if _says_something(label, cells := tuple(_cell(option, label, make) for option in options))
        ),
        interval=fmt.interval_of(report.options.teacher.accuracy),
    )


def findings(report: Report) -> tuple[Finding, ...]:
    """Gain and advantage with their intervals; those that could not be formed are absent."""
    found = []
    if report.gain is not None:
        found.append(
            _finding(
                "Gain: what distilling did",
                report.gain,
                "The distilled student against its twin, which is the same student trained without the teacher.",
                (
                    "The teacher helped.",
                    "The teacher did harm.",
                    "The teacher is not shown to help.",
                ),
            )
        )
    if report.advantage is not None:
        found.append(
            _finding(
                "Advantage: what choosing distillation does",
                report.advantage,
                "The distilled pick against the direct pick, each the best of its arm.",
                (
                    "The distilled pick is more accurate.",
                    "The direct pick is more accurate.",
                    "Neither pick is shown to be more accurate.",
                ),
            )
        )
    return tuple(found)


def _finding(title: str, difference: Difference, subject: str, outcomes: tuple[str, str, str]) -> Finding:
    above, below, open_ = outcomes
    outcome = above if difference.low > 0 else below if difference.high < 0 else open_
    seen = f"Smallest detectable difference: {fmt.points(difference.detectable).removeprefix('+')}."
    return Finding(
        title=title,
        value=fmt.points(difference.mean),
        interval=f"{fmt.interval_of(difference)} {fmt.points_interval(difference)}",
        meaning=f"{subject} {outcome} {seen}",
    )


def _says_something(label: str, cells: tuple[Cell, ...]) -> bool:
    """Whether a row is shown: those that not every run has anything to say of, only where there is something."""
    return label not in (ENERGY, PAYS, WHY_NOT) or any(cell.value != fmt.NOTHING for cell in cells)


def _cell(option: Option | None, label: str, make: Callable[[Option], Cell]) -> Cell:
    if option is not None:
        return make(option)
    return Cell("no finalist" if label == MODEL else fmt.NOTHING)


def _rows(report: Report) -> tuple[tuple[str, Callable[[Option], Cell]], ...]:
    students = (report.options.direct, report.options.distilled)
    return (
        (MODEL, lambda o: Cell(o.student, "" if o.finalist is None else f"finalist {o.finalist}")),
        ("Accuracy on test", _accuracy),
        ("Keeps of the teacher's accuracy", _retention),
        ("Costs per 1,000 requests", lambda o: _cost(o, report.options.teacher)),
        *([("In its best other form", _other_form)] if any(o and o.forms for o in students) else []),
        ("Costs a month", lambda o: _monthly(o, report)),
        ("Paid once", lambda o: Cell(fmt.usd(o.one_time_usd))),
        ("Parameters", lambda o: Cell(fmt.large(o.parameters), f"ratio {fmt.ratio(o.ratio)}")),
        ("Latency p50 / p95 / p99", lambda o: Cell(fmt.latency(o.latency_ms), _batch(o))),
        ("Capacity of a replica", lambda o: Cell(fmt.rate(o.capacity_rps))),
        ("Load time", _load_time),
        (ENERGY, _energy),
        ("Within the limits", lambda o: Cell(fmt.yes(o.eligible))),
        (PAYS, lambda o: Cell(fmt.NOTHING if o.pays is None else fmt.yes(o.pays))),
        (WHY_NOT, lambda o: Cell("; ".join(o.why_not) or fmt.NOTHING)),
    )


def _accuracy(option: Option) -> Cell:
    seeds = option.accuracy.seeds
    over = f", {seeds} seeds" if seeds > 1 else ""
    return Cell(fmt.percent(option.accuracy.mean), fmt.percent_interval(option.accuracy) + over)


def _retention(option: Option) -> Cell:
    exact = option.retention.low == option.retention.high
    return Cell(fmt.percent(option.retention.mean), "" if exact else fmt.percent_interval(option.retention))


def _cost(option: Option, teacher: Option) -> Cell:
    found = against_teacher(option, teacher)
    notes = [] if option is teacher or found is None else [found.words]
    if option.noisy:
        notes.append("noisy")
    if option.predicted:
        notes.append("predicted")
    return Cell(fmt.usd(option.cost_usd_per_1k), ", ".join(notes))


def _other_form(option: Option) -> Cell:
    """What a student costs and keeps in another runtime or precision; all such forms, the best first."""
    best = option.other_form
    if best is None:
        return Cell(fmt.NOTHING)
    others = [f"{fmt.usd(form.cost_usd_per_1k)} {_in_form(form)}" for form in option.forms if form is not best]
    factor = option.factor_in_best_forms
    against = [f"teacher / student in their best forms: {fmt.ratio(factor)}"] if factor else []
    return Cell(fmt.usd(best.cost_usd_per_1k), "; ".join([_in_form(best), *others, *against]))


def _in_form(form: OptionForm) -> str:
    refused = f", not good enough: it {fmt.listed(form.why_not)}" if form.why_not else ""
    noisy = ", a noisy reading" if form.noisy else ""
    return f"as {form.words}, {fmt.percent(form.test_accuracy)} on test, one seed{noisy}{refused}"


def against_teacher(option: Option, teacher: Option) -> CostRatio | None:
    """How many times cheaper or more expensive than the teacher; None where either cost is 0 or infinite."""
    own, teachers = option.cost_usd_per_1k, teacher.cost_usd_per_1k
    if not (0 < own < inf and 0 < teachers < inf):
        return None
    small, large = sorted((own, teachers))
    return CostRatio(fmt.ratio(large / small), higher=own > teachers, same=not costs_differ(own, teachers))


def _monthly(option: Option, report: Report) -> Cell:
    volume = report.policy.requests_per_month
    if option.monthly_usd is None or volume is None:
        return Cell(fmt.usd(option.monthly_usd), "no volume given" if volume is None else "")
    return Cell(fmt.usd(option.monthly_usd), f"for {fmt.large(volume)} requests")


def _batch(option: Option) -> str:
    return "" if option.batch_size is None else f"of a batch of {option.batch_size}"


def _load_time(option: Option) -> Cell:
    memory = option.peak_memory_bytes
    time = fmt.NOTHING if option.load_seconds is None else f"{option.load_seconds:.2g} s"
    return Cell(time, "" if memory is None else f"{file_size(memory)} of memory at most")


def _energy(option: Option) -> Cell:
    known = option.energy_wh_per_1k
    return Cell(fmt.NOTHING) if known is None else Cell(f"{known:.2g} Wh", "of the GPU, in full batches")
