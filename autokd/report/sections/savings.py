"""What the recommended student costs once, and what it saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from autokd.cost.dollars import HOURS_PER_MONTH
from autokd.records import Economics, Interval, Report
from autokd.report import format as fmt
from autokd.report.sections.method import STAGES
from autokd.report.table import Column, Table


@dataclass(frozen=True)
class Savings:
    """One-time cost by what it was paid for, and the saving with its interval."""

    once: Table
    saving: Table


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
