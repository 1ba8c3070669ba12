"""Money over time: what the recommended student has saved by then, less what it cost once."""

from __future__ import annotations

from math import isfinite

from autokd.records import Interval, Report
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import Chart, Mark, spread
from autokd.report.charts.svg import Frame, Linear, element, mark
from autokd.report.sections.savings import day_after


def money_over_time(report: Report) -> Chart | None:
    """Three lines: the likely saving and its two ends; None without a volume or without a student."""
    found = report.economics
    if found is None or found.saving_usd_per_month is None or found.break_even_months is None:
        return None
    once, saving, months = sum(found.one_time_usd.values()), found.saving_usd_per_month, report.policy.horizon_months
    ends = [-once, 0.0, *(balance(once, value, months) for value in (saving.mean, saving.low, saving.high))]
    frame = Frame(Linear(0, months, lambda value: f"{value:g}"), Linear(*spread(ends, 0.06), _short_usd), left=92)

    def line(value: float) -> list[tuple[float, float]]:
        return [(frame.px(0), frame.py(-once)), (frame.px(months), frame.py(balance(once, value, months)))]

    band = svg.path([*line(saving.low), *reversed(line(saving.high))], "band")
    zero = svg.path([(frame.px(0), frame.py(0)), (frame.px(months), frame.py(0))], "zero")
    total = fmt.usd(balance(once, saving.mean, months))
    tip = f"after {months:g} months: {total}, {fmt.usd(saving.mean)} a month"
    repaid = found.break_even_months.mean
    return Chart(
        name="money",
        title="Money over time",
        description=_description(report, once, saving, months, repaid),
        svg=frame.picture(
            band,
            frame.axes("months from the day of this report", "dollars saved, less the one-time cost"),
            zero,
            svg.path(line(saving.mean), "thick tone", data_tip=tip),
            _repaid(frame, report, repaid) if repaid <= months else "",
        ),
        legend=(Mark("━", "tone", "saved so far"), Mark("■", "quiet", "lowest to highest saving")),
        columns=("month", "usd_saved", "usd_saved_low", "usd_saved_high"),
        rows=tuple(
            (float(month), *(balance(once, value, month) for value in (saving.mean, saving.low, saving.high)))
            for month in [*range(int(months) + 1), *([months] if months % 1 else [])]
        ),
    )


def balance(once: float, saving: float, months: float) -> float:
    """Dollars after so many months; `saving` a month."""
    return saving * months - once


def _repaid(frame: Frame, report: Report, months: float) -> str:
    x, y = frame.px(months), frame.py(0)
    day = day_after(report.created, months)
    right = months < report.policy.horizon_months * 0.6
    return mark("circle", x, y, 7, "dot tone", f"paid back on {day}") + element(
        "g", svg.text(f"paid back on {day}", x + (14 if right else -14), y + 22, class_="name",
        text_anchor="start" if right else "end"),
    )  # fmt: skip


def _short_usd(value: float) -> str:
    if abs(value) >= 10_000:
        return fmt.typeset(f"{'-' if value < 0 else ''}${fmt.large(abs(value))}")
    return fmt.usd(value).removesuffix(".00")


def _description(report: Report, once: float, saving: Interval, months: float, repaid: float) -> str:
    volume = report.policy.requests_per_month
    rest = f"At {fmt.large(volume)} requests a month the saving is {fmt.usd(saving.mean)} a month"
    if not isfinite(repaid) or repaid > months:
        return f"{rest}; the {fmt.usd(once)} paid once do not come back within {months:g} months."
    return f"{rest}; after {months:g} months {fmt.usd(balance(once, saving.mean, months))} are left of it."
