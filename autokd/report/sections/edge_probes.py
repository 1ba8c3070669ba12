"""Beyond the range of ratios, where that was probed: a table, and whether the range holds on this task."""

from __future__ import annotations

from dataclasses import dataclass

from autokd.records import Edge, Report
from autokd.report import format as fmt
from autokd.report.table import STUDENT, Column, Table


@dataclass(frozen=True)
class Beyond:
    """A row an edge, and the answer in a sentence."""

    table: Table
    answer: str


def beyond(report: Report) -> Beyond | None:
    """The edges of a report; None where none was probed."""
    if not report.edges:
        return None
    interval = f"Its {fmt.interval_of(report.edges[0].gain)}"
    columns = (
        Column("Beyond"), STUDENT, Column("Ratio", True), Column("Finalists"), Column("Distilled, %", True),
        Column("Twin, %", True), Column("Gain, points", True), Column(interval),
        Column("Gain within, points", True), Column("Within minus beyond, points", True), Column(interval),
    )  # fmt: skip
    rows = tuple(_row(edge) for edge in report.edges)
    said = " ".join(f"{_said(edge)}." for edge in report.edges)
    return Beyond(Table("beyond", columns, rows, sortable=False), f"Does the range hold on this task? {said}")


def spent_beyond(report: Report) -> str:
    """Why the run's own sum is above the one-time cost of a student; empty where it is not."""
    student = report.options.distilled or report.options.direct
    if student is None or not report.edges:
        return ""
    spent = report.search.usd
    beyond = spent - (student.one_time_usd - report.policy.adoption_usd)
    if beyond <= spent * 1e-9:
        return ""
    return (
        f"Of the {fmt.usd(spent)} that the run spent, {fmt.usd(beyond)} went into students beyond the range "
        "of ratios, which the one-time cost leaves out."
    )


def _row(edge: Edge) -> tuple[str, ...]:
    inside, lead = edge.inside_gain, edge.lead
    return (
        f"{edge.side} {edge.limit:g}\u00d7",
        edge.student,
        f"{edge.ratio:.1f}",
        f"{edge.finalist}, twin {edge.twin}",
        f"{edge.accuracy.mean * 100:.2f}",
        f"{edge.twin_accuracy.mean * 100:.2f}",
        fmt.bare_points(edge.gain.mean),
        fmt.bare_interval(edge.gain),
        fmt.bare_points(inside.mean) if inside else fmt.NOTHING,
        fmt.bare_points(lead.mean) if lead else fmt.NOTHING,
        fmt.bare_interval(lead) if lead else fmt.NOTHING,
    )


def _said(edge: Edge) -> str:
    """The gain beyond one end compared with that within, and what follows."""
    where = (
        f"{edge.side.capitalize()} {edge.limit:g}\u00d7 distilling brings {edge.student} {fmt.points(edge.gain.mean)}"
    )
    if edge.inside_gain is None or edge.lead is None:
        return f"{where}, and there is no gain within the range to compare that with"
    compared = f"{where}, within the range {fmt.points(edge.inside_gain.mean)} with the same recipe"
    if edge.lead.low > 0:
        return f"{compared}: the range holds there, distilling does less beyond it"
    if edge.lead.high < 0:
        return f"{compared}: the range does not hold there, distilling does more beyond it"
    return (
        f"{compared}: whether it holds there is open, as the smallest difference of the two that this test could have "
        f"shown is {fmt.points(edge.lead.detectable).removeprefix('+')}"
    )
