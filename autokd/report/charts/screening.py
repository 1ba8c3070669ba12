"""The screening: every student's validation accuracy by epoch against its cost, and who went on."""

from __future__ import annotations

from autokd.records import ScreenedStudent, Screening
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import Chart, Mark, at_cost, drawable
from autokd.report.charts.svg import Frame, Log, mark, percents


def screening_by_cost(screening: Screening) -> Chart | None:
    """A line upwards for each student, from its first epoch to its last, at its cost; None with nothing to draw."""
    drawn = [s for s in screening.students if s.val_accuracies and drawable(s.cost_usd_per_1k)]
    if not drawn:
        return None
    frame = Frame(
        Log.over([student.cost_usd_per_1k for student in drawn], fmt.usd),
        percents([value for student in drawn for value in student.val_accuracies]),
    )
    ordered = sorted(drawn, key=lambda s: s.student in screening.short_list)
    return Chart(
        name="screening",
        title="Screening: every student that was looked at",
        description=_description(screening),
        svg=frame.picture(
            frame.axes("cost, $ per 1,000 requests (log scale)", "validation accuracy"),
            *(_student(frame, student, student.student in screening.short_list) for student in ordered),
        ),
        legend=(Mark("●", "chosen", "on the short list"), Mark("●", "quiet", "stopped")),
        columns=("student", "cost_usd_per_1k_requests", "epoch", "val_accuracy", "on_short_list"),
        rows=tuple(
            (s.student, s.cost_usd_per_1k, epoch, value, str(s.student in screening.short_list).lower())
            for s in drawn
            for epoch, value in enumerate(s.val_accuracies, start=1)
        ),
    )


def _student(frame: Frame, student: ScreenedStudent, listed: bool) -> str:
    x, class_ = frame.px(student.cost_usd_per_1k), "chosen" if listed else "quiet"
    points = [(x, frame.py(value)) for value in student.val_accuracies]
    line = svg.path(points, f"thin {class_}") if len(points) > 1 else ""
    tip = (
        f"{at_cost(student.student, student.cost_usd_per_1k)}: {fmt.percent(student.val_accuracies[-1], 2)} after "
        f"{student.epochs} epoch{'' if student.epochs == 1 else 's'}"
    )
    return line + mark("circle", *points[-1], 5 if listed else 4, class_, tip)


def _description(screening: Screening) -> str:
    rungs = fmt.listed(f"{rung.epoch}" for rung in screening.rungs)
    return (
        f"{screening.looked_at} of {len(screening.students)} students. Each line goes from a student's first epoch to "
        f"its last; they were compared after epochs {rungs}."
    )
