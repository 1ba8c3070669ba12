"""What changes class by class against the teacher, as bars from the largest loss to the largest gain."""

from __future__ import annotations

from autokd.records import ClassAudit, ClassRow, Report
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import Chart, Mark
from autokd.report.charts.svg import Linear, element, number, picture, text

BARS = 24  # as many as are drawn, half of them from either end
WIDTH, LEFT, RIGHT, TOP, ROW = 640, 150, 20, 8, 24
NAME = 16


def class_changes(report: Report) -> Chart | None:
    """Of the student that the verdict recommends, else of the first that was audited; None without one."""
    audited = report.audit.classes if report.audit else ()
    option = report.options.recommended(report.verdict)
    found = next((each for each in audited if option and each.finalist == option.finalist), None)
    found = found or next(iter(audited), None)
    rows = sorted((row for row in found.rows if row.images), key=change) if found else []
    if not found or not rows:
        return None
    shown = rows if len(rows) <= BARS else [*rows[: BARS // 2], *rows[-BARS // 2 :]]
    low, high = min(0.0, change(shown[0])), max(0.0, change(shown[-1]))
    low, high = (low, high) if high - low > 1e-9 else (-0.01, 0.01)
    scale = Linear(low - 0.02 * (high - low), high + 0.02 * (high - low), lambda v: fmt.typeset(f"{v * 100:+.4g}"))

    def px(value: float) -> float:
        return LEFT + scale.place(value) * (WIDTH - LEFT - RIGHT)

    floor = TOP + ROW * len(shown)
    ticks = "".join(
        svg.path([(px(v), TOP), (px(v), floor)], "zero" if abs(v) < 1e-9 else "grid")
        + text(label if abs(v) > 1e-9 else "0", px(v), floor + 19, text_anchor="middle")
        for v, label in scale.ticks
    )
    bars = "".join(_bar(row, TOP + ROW * k, px(0), px(change(row))) for k, row in enumerate(shown))
    title = text("points against the teacher's recall", (LEFT + WIDTH - RIGHT) / 2, floor + 42, text_anchor="middle",
                 class_="title")  # fmt: skip
    return Chart(
        name="classes",
        title="What changes class by class",
        description=_description(found, len(shown)),
        svg=picture(WIDTH, floor + 50, ticks, bars, title),
        legend=(Mark("■", "none", "recognised less often"), Mark("■", "distill", "recognised more often")),
        columns=("class", "test_images", "change_in_recall", "lost_images", "gained_images", "p"),
        rows=tuple((r.name, r.images, change(r), r.mean_negative_flips, r.mean_positive_flips, r.p) for r in rows),
    )


def change(row: ClassRow) -> float:
    """Recall minus the teacher's, as a mean over seeds."""
    return (row.mean_positive_flips - row.mean_negative_flips) / row.images


def _bar(row: ClassRow, y: float, zero: float, end: float) -> str:
    name = row.name if len(row.name) <= NAME else f"{row.name[: NAME - 1]}…"
    tip = (
        f"{row.name}: {fmt.points(change(row))} on {fmt.count(row.images)} test images, lost "
        f"{row.mean_negative_flips:.1f}, gained {row.mean_positive_flips:.1f}"
    )
    return text(name, LEFT - 10, y + 17, text_anchor="end") + element(
        "rect", class_=f"fill {'none' if end < zero else 'distill'}", x=number(min(zero, end)), y=y + 4,
        width=number(max(abs(end - zero), 1.5)), height=ROW - 8, data_tip=tip,
    )  # fmt: skip


def _description(found: ClassAudit, shown: int) -> str:
    every = f"all {shown}" if shown == len(found.rows) else f"{shown} of {fmt.count(len(found.rows))}"
    parts = "" if shown == len(found.rows) else ": those that lose most and those that gain most"
    return f"{found.student} against the teacher, {every} classes{parts}; means over seeds."
