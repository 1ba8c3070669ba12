"""What the recommended student costs once, what it saves, and where in volume and utilization the verdict holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from math import isfinite, log

from autokd.cost.dollars import HOURS_PER_MONTH
from autokd.records import Economics, Interval, Report, Verdict, VerdictMap
from autokd.report import format as fmt
from autokd.report.sections.method import STAGES
from autokd.report.table import Column, Table

WORDS: dict[Verdict, str] = {
    "distill": "distill",
    "use_small_model": "small",
    "keep_teacher": "teacher",
    "none": "none",
}


@dataclass(frozen=True)
class Savings:
    """One-time cost by what it was paid for, and the saving with its interval."""

    once: Table
    saving: Table


@dataclass(frozen=True)
class Square:
    """One cell of the map; `here` marks the one nearest to what was asked."""

    verdict: Verdict
    text: str
    here: bool


@dataclass(frozen=True)
class Map:
    """Verdicts by monthly requests (columns) and utilization (rows)."""

    seen: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square, ...]], ...]


def savings(report: Report) -> Savings | None:
    """The money of the recommended student; None where none is recommended."""
    found = report.economics
    return None if found is None else Savings(_once(found), _saving(found, report.created))


def day_after(created: str, months: float) -> str | None:
    """The day so many months after a time in ISO 8601, in ISO 8601; None in more than some thousand years."""
    try:
        return (datetime.fromisoformat(created) + timedelta(hours=months * HOURS_PER_MONTH)).date().isoformat()
    except OverflowError:
        return None


def _once(found: Economics) -> Table:
    total = sum(found.one_time_usd.values())
    rows = [(STAGES.get(name, name.capitalize()), fmt.usd(amount)) for name, amount in found.one_time_usd.items()]
    rows.append(("Together", fmt.usd(total)))
    columns = (Column("Paid once for"), Column("Dollars", True))
    return Table("once", columns, tuple(rows), frozenset([len(rows) - 1]), sortable=False)


def _saving(found: Economics, created: str) -> Table:
    lines: tuple[tuple[str, Interval | None, Callable[[float], str]], ...] = (
        ("Per 1,000 requests", found.saving_usd_per_1k, fmt.usd),
        ("Per month", found.saving_usd_per_month, fmt.usd),
        ("Paid back after, requests", found.break_even_requests, _or_never(fmt.requests)),
        ("Paid back after, months", found.break_even_months, _or_never(_months)),
    )
    rows = [
        (label, write(value.mean), f"{write(value.low)} to {write(value.high)}")
        for label, value, write in lines
        if value
    ]
    if months := found.break_even_months:
        day, first, last = (day_after(created, end) or "never" for end in (months.mean, months.low, months.high))
        rows.append(("Paid back on", day, f"{first} to {last}"))
    columns = (Column("Saving"), Column("Estimate", True), Column("Lowest to highest", wraps="phrase"))
    return Table("saving", columns, tuple(rows), sortable=False)


def _or_never(write: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: write(value) if isfinite(value) else "never"


def _months(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 else "below 0.1"


# ---- the map ---------------------------------------------------------------------------------------------------


def verdict_map(report: Report) -> Map | None:
    """The map of verdicts, high utilization on top; None where cost does not depend on load."""
    found = report.verdict_map
    if found is None:
        return None
    here = _nearest(found, report)
    rows = [
        (
            fmt.share(share),
            tuple(Square(verdict, WORDS[verdict], here == (i, j)) for j, verdict in enumerate(found.verdicts[i])),
        )
        for i, share in enumerate(found.utilization)
    ]
    return Map(
        seen=_seen(found, report, here is not None),
        columns=tuple(fmt.large(requests) for requests in found.requests_per_month),
        rows=tuple(reversed(rows)),
    )


def _nearest(found: VerdictMap, report: Report) -> tuple[int, int] | None:
    """Indices of the cell nearest to the volume that was given and the load that replicas are planned for."""
    volume = report.policy.requests_per_month
    if not volume:
        return None
    target = report.cost_model.target_utilization
    i = min(range(len(found.utilization)), key=lambda k: abs(found.utilization[k] - target))
    j = min(range(len(found.requests_per_month)), key=lambda k: abs(log(found.requests_per_month[k] / volume)))
    return i, j


def _seen(found: VerdictMap, report: Report, marked: bool) -> str:
    cells = [*chain.from_iterable(found.verdicts)]
    same = cells.count(report.verdict)
    often = f"all {len(cells)}" if same == len(cells) else f"{same} of {len(cells)}"
    place = " The cell nearest to what was asked is outlined." if marked else ""
    return (
        "The verdict by requests a month and by the share of a replica's capacity that is used at the peak, billed by "
        f"whole replicas, all else as it is; small stands for using a small model. In {often} cells it is that of this "
        f"report.{place}"
    )
