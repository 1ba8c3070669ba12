"""The three options as rows of text, for whoever prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autokd.formatting import level, percent, usd

if TYPE_CHECKING:
    from autokd.records.base import Interval
    from autokd.records.decision import Option, Options


def option_heads(confidence: float | None) -> tuple[str, ...]:
    """Of the columns of `option_cells`, of which the first two are text and the others numbers.

    confidence: of the intervals; None: not the same in all rows.
    """
    interval = "interval" if confidence is None else level(confidence)
    return "option", "model", f"accuracy % ({interval})", "keeps %", "$ per 1,000", "$ a month"


def option_cells(name: str, option: Option) -> tuple[str, ...]:
    """Name, model, accuracy with its interval, retention, cost and monthly bill, as people read them."""
    monthly = "-" if option.monthly_usd is None else usd(option.monthly_usd).removeprefix("$")
    cost = usd(option.cost_usd_per_1k).removeprefix("$")
    return name, option.student, _with_ends(option.accuracy), _bare(option.retention.mean), cost, monthly


def known_options(options: Options) -> dict[str, Option]:
    """Those that there are, by name, teacher first."""
    found = {"teacher": options.teacher, "direct": options.direct, "distilled": options.distilled}
    return {name: option for name, option in found.items() if option is not None}


def _with_ends(interval: Interval) -> str:
    return f"{_bare(interval.mean)} ({_bare(interval.low)}\u2013{_bare(interval.high)})"


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")
