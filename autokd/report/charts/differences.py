"""Gain and advantage as intervals around zero, with the margin within which a difference does not matter."""

from __future__ import annotations

from autokd.records import Difference, Report
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import Chart, Mark
from autokd.report.charts.svg import Linear, element, mark, number, picture, text

WIDTH, ROW, LEFT, RIGHT, TOP = 640, 62, 20, 20, 10


def differences(report: Report) -> Chart | None:
    """A row for each difference that could be formed; None without any."""
    found = [
        (name, what, difference)
        for name, what, difference in (
            ("Gain", "distilled minus the same student without the teacher", report.gain),
            ("Advantage", "distilled pick minus direct pick", report.advantage),
        )
        if difference is not None
    ]
    if not found:
        return None
    margin = report.policy.min_gain
    reach = 1.1 * max(margin, *(max(abs(d.low), abs(d.high)) for _, _, d in found))
    scale = Linear(-reach, reach, lambda value: fmt.typeset(f"{value * 100:+.4g}") if value else "0")

    def px(value: float) -> float:
        return LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT)

    floor = TOP + ROW * len(found)
    ground = element(
        "rect",
        class_="margin",
        x=number(px(-margin)),
        y=TOP,
        width=number(px(margin) - px(-margin)),
        height=floor - TOP,
    )
    ticks = "".join(
        svg.path([(px(value), TOP), (px(value), floor)], "zero" if value == 0 else "grid")
        + text(label, px(value), floor + 20, text_anchor="middle")
        for value, label in scale.ticks
    )
    rows = "".join(
        _row(name, what, d, TOP + ROW * k + 40, [px(d.low), px(d.mean), px(d.high)])
        for k, (name, what, d) in enumerate(found)
    )
    title = text("difference in accuracy, points", WIDTH / 2, floor + 44, text_anchor="middle", class_="title")
    return Chart(
        name="differences",
        title="What the teacher adds",
        description=(
            "Right of zero the distilled student is more accurate. A gain counts where its whole bar lies there. "
            f"The grey band is the margin, {fmt.points(margin).removeprefix('+')} either way."
        ),
        svg=picture(WIDTH, floor + 52, ground, ticks, rows, title),
        legend=(Mark("━", "distill", fmt.interval_of(found[0][2])), Mark("■", "quiet", "margin")),
        columns=("difference", "meaning", "mean", "low", "high", "smallest_detectable", "margin"),
        rows=tuple((name, what, d.mean, d.low, d.high, d.detectable, margin) for name, what, d in found),
    )


def _row(name: str, what: str, found: Difference, y: float, ends: list[float]) -> str:
    low, mean, high = ends
    tip = f"{name}: {fmt.points(found.mean)}, {fmt.interval_of(found)} {fmt.points_interval(found)}"
    return (
        text(f"{name}: {what}", LEFT, y - 17)
        + svg.path([(low, y), (high, y)], "thick distill", data_tip=tip)
        + mark("circle", mean, y, 6, "dot distill", tip)
    )
