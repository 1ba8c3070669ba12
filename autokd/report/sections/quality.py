"""Other quality metrics than accuracy: calibration, equal terms, ambiguous images, single classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from autokd.decide.statistics.significance import ERROR
from autokd.records import Ambiguity, Audit, ClassAudit, ClassRow, EntropyQuarter, EqualTerms, Quality, Report, Subject
from autokd.report import format as fmt
from autokd.report.sections.policy import what_moves
from autokd.report.table import STUDENT, Column, Table

CLASSES_SHOWN = 10
NAMED = 5

SUBJECTS: dict[Subject, str] = {
    "teacher": "teacher",
    "distilled": "distilled",
    "direct": "direct",
    "twin": "twin of the distilled",
}
ALIKE = 0.2  # share by which the seconds of two trainings may differ that are called equal

QUALITY = (
    Column("Model", wraps="phrase"), STUDENT, Column("NLL, nats", True), Column("after scaling", True),
    Column("Calibration error, %", True), Column("after scaling", True), Column("Temperature", True),
    Column("Agreement, %", True), Column("Negative flips, %", True), Column("Weights, MB", True),
)  # fmt: skip
_SURENESS = ("first, surest", "second", "third", "fourth, least sure")


@dataclass(frozen=True)
class ByClass:
    """One student class by class: a heading, what is seen, and the classes that lose most."""

    title: str
    seen: str
    table: Table


@dataclass(frozen=True)
class OtherMetrics:
    """The whole section; a part that could not be formed is None or empty."""

    moves: str
    quality: Table
    equal: Table | None
    equal_seen: str
    quarters: Table | None
    seen: str
    classes: tuple[ByClass, ...]


def other_metrics(report: Report) -> OtherMetrics | None:
    """What the audit found; None for a report without one, or where no student was confirmed."""
    audit = report.audit
    if audit is None or not audit.classes:
        return None
    return OtherMetrics(
        moves=what_moves(report.policy),
        quality=Table("quality", QUALITY, tuple(_quality(audit, quality) for quality in audit.quality), sortable=False),
        equal=_equal(audit),
        equal_seen=" ".join(_equal_seen(terms) for terms in audit.equal_terms),
        quarters=_quarters(audit.ambiguity) if audit.ambiguity else None,
        seen=audit.ambiguity.seen if audit.ambiguity else "",
        classes=tuple(_by_class(audit, found) for found in audit.classes),
    )


# ---- calibration, agreement, size ------------------------------------------------------------------------------


def _subject(audit: Audit, found: Quality | ClassAudit) -> str:
    """What a model is; the direct option may be the very twin of the distilled one."""
    ambiguity = audit.ambiguity
    both = found.subject == "direct" and ambiguity is not None and ambiguity.twin == found.finalist
    return "direct and twin" if both else SUBJECTS[found.subject]


def _quality(audit: Audit, quality: Quality) -> tuple[str, ...]:
    return (
        _subject(audit, quality),
        quality.student,
        _number(quality.nll),
        _number(quality.scaled_nll),
        _percent(quality.calibration_error, 2),
        _percent(quality.scaled_calibration_error, 2),
        _number(quality.temperature, 2),
        _percent(quality.agreement),
        _percent(quality.negative_flips),
        f"{quality.megabytes:,.1f}",
    )


# ---- equal terms -----------------------------------------------------------------------------------------------


def _equal(audit: Audit) -> Table | None:
    if not audit.equal_terms:
        return None
    columns = (
        Column("On equal terms", wraps="phrase"), Column("Direct rival", wraps="name"),
        Column("Advantage, points", True), Column(fmt.interval_of(audit.equal_terms[0].advantage)),
        Column("Seconds, distilled", True), Column("Seconds, direct", True),
    )  # fmt: skip
    return Table("equal-terms", columns, tuple(_terms(terms) for terms in audit.equal_terms), sortable=False)


def _equal_seen(terms: EqualTerms) -> str:
    """What the distilled student is compared with, and whether a training of equal seconds had them."""
    if terms.terms == "trials":
        return "Equal trials: the direct arm's finalist was chosen from as many trials."
    ratio = _times(terms)
    took = (
        "Device time: the direct training was given more epochs, to take as many device seconds as the distilled one, "
        f"its share of the soft labels included; it took {ratio:.2f} times as many"
    )
    if _alike(terms):
        return f"{took}."
    return f"{took}. That is not equal: the direct training had {'less' if ratio < 1 else 'more'} device time."


def _times(terms: EqualTerms) -> float:
    """Device seconds of the direct training, as a multiple of the distilled one's."""
    return terms.direct_seconds / terms.distilled_seconds if terms.distilled_seconds else inf


def _alike(terms: EqualTerms) -> bool:
    return abs(_times(terms) - 1) <= ALIKE


def _terms_name(terms: EqualTerms) -> str:
    if terms.terms == "trials":
        return "equal trials"
    return "equal device time" if _alike(terms) else "unequal device time"


def _terms(terms: EqualTerms) -> tuple[str, ...]:
    return (
        _terms_name(terms),
        f"{terms.direct_student}, finalist {terms.direct}",
        fmt.bare_points(terms.advantage.mean),
        fmt.bare_interval(terms.advantage),
        f"{terms.distilled_seconds:,.1f}",
        f"{terms.direct_seconds:,.1f}",
    )


# ---- ambiguous images ------------------------------------------------------------------------------------------


def _quarters(ambiguity: Ambiguity) -> Table:
    rows = tuple(_quarter(sureness, quarter) for sureness, quarter in zip(_SURENESS, ambiguity.quarters, strict=True))
    shown = frozenset(i for i, quarter in enumerate(ambiguity.quarters) if quarter.p < ERROR)
    columns = (
        Column("Quarter"), Column("Entropy, nats"), Column("Images", True), Column("Teacher, %", True),
        Column("Distilled, %", True), Column("Twin, %", True), Column("Gain, points", True),
        Column(fmt.interval_of(ambiguity.quarters[0].gain)), Column("p", True),
    )  # fmt: skip
    return Table("entropy", columns, rows, shown, sortable=False)


def _quarter(sureness: str, quarter: EntropyQuarter) -> tuple[str, ...]:
    return (
        sureness,
        f"{quarter.low:.3f} to {quarter.high:.3f}",
        fmt.count(quarter.images),
        _percent(quarter.teacher_accuracy),
        _percent(quarter.accuracy),
        _percent(quarter.twin_accuracy),
        fmt.bare_points(quarter.gain.mean),
        fmt.bare_interval(quarter.gain),
        _p(quarter.p),
    )


# ---- classes ---------------------------------------------------------------------------------------------------


def _by_class(audit: Audit, found: ClassAudit) -> ByClass:
    rows = sorted((row for row in found.rows if row.recall), key=_loss)[:CLASSES_SHOWN]
    shown = frozenset(i for i, row in enumerate(rows) if row.p is not None and row.p < ERROR)
    return ByClass(
        title=f"Class by class: {_subject(audit, found)}, {found.student}",
        seen=_seen(found, len(rows)),
        table=Table(f"classes-{found.subject}", _class_columns(rows), tuple(_class(row) for row in rows), shown),
    )


def _class_columns(rows: Sequence[ClassRow]) -> tuple[Column, ...]:
    interval = next((fmt.interval_of(row.recall) for row in rows if row.recall), "Interval")
    return (
        Column("Class", wraps="name"), Column("Images", True), Column("Teacher's recall, %", True),
        Column("Recall, %", True), Column(interval), Column("Lost", True), Column("Gained", True),
        Column("Lost, mean", True), Column("Gained, mean", True), Column("p", True),
    )  # fmt: skip


def _loss(row: ClassRow) -> tuple[float, float]:
    """Orders classes by the share of their images that the change loses, the largest first."""
    lost = (row.negative_flips - row.positive_flips) / row.images
    return -lost, 1.0 if row.p is None else row.p


def _seen(found: ClassAudit, shown: int) -> str:
    lowest = next((row for row in found.rows if row.name == found.lowest), None)
    sentences = [_shown(found)]
    if lowest and lowest.recall:
        sentences.append(
            f"Its lowest recall is {fmt.percent(lowest.recall.mean)}, on {lowest.name} "
            f"(the teacher's there: {fmt.percent(lowest.teacher_recall)})."
        )
    if len(found.rows) > shown:
        sentences.append(f"Listed are the {shown} of {fmt.count(len(found.rows))} classes that lose most.")
    return " ".join(sentences)


def _shown(found: ClassAudit) -> str:
    if not found.worse and not found.better:
        return "No class is shown to be worse or better than with the teacher."
    parts = [
        f"{len(names)} of {fmt.count(len(found.rows))} classes {'is' if len(names) == 1 else 'are'} shown to be {word} "
        f"than with the teacher: {_named(names)}"
        for names, word in ((found.worse, "worse"), (found.better, "better"))
        if names
    ]
    return "; ".join(parts) + "."


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return fmt.listed([*names[:NAMED], f"{fmt.count(more)} more"] if more > 0 else names)


def _class(row: ClassRow) -> tuple[str, ...]:
    return (
        row.name,
        fmt.count(row.images),
        _percent(row.teacher_recall),
        _percent(row.recall.mean if row.recall else None),
        f"{_percent(row.recall.low)} to {_percent(row.recall.high)}" if row.recall else fmt.NOTHING,
        fmt.count(row.negative_flips),
        fmt.count(row.positive_flips),
        f"{row.mean_negative_flips:.1f}",
        f"{row.mean_positive_flips:.1f}",
        fmt.NOTHING if row.p is None else _p(row.p),
    )


# ---- cells -----------------------------------------------------------------------------------------------------


def _number(value: float | None, digits: int = 3) -> str:
    return fmt.NOTHING if value is None else f"{value:.{digits}f}"


def _percent(fraction: float | None, digits: int = 1) -> str:
    return fmt.percent(fraction, digits).removesuffix(f"{fmt.NBSP}%")


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"
