"""The screening: every student's validation accuracy by epoch against its cost, and who went on."""

from __future__ import annotations

from typing import Any

from autokd.records import ScreenedStudent, Screening
from autokd.report import format as fmt
from autokd.report.charts.accuracy_vs_cost import Axis, hover
from autokd.report.charts.base import Chart, drawable, finish, short

STOPPED, LISTED = "#8a94a6", "#d9822b"


def screening_by_cost(screening: Screening) -> Chart:
    """A line upwards for each student, from its first epoch to its last, at its cost."""
    import plotly.graph_objects as go

    drawn = [s for s in screening.students if s.epochs and drawable(s.cost_usd_per_1k)]
    figure = go.Figure()
    if drawn:
        axis = Axis.over([student.cost_usd_per_1k for student in drawn])
        for listed in (False, True):
            if mine := [s for s in drawn if (s.student in screening.short_list) == listed]:
                figure.add_trace(_paths(mine))
                figure.add_trace(_ends(mine, listed))
        figure.update_xaxes(**axis.layout())
    figure.update_yaxes(title="validation accuracy", tickformat=".2~%")
    finish(figure)
    return Chart("screening", "Screening: every student that was looked at", _description(screening), figure)


def _paths(students: list[ScreenedStudent]) -> Any:
    """One trace for all, with gaps between the students."""
    import plotly.graph_objects as go

    xs: list[float | None] = []
    ys: list[float | None] = []
    for student in students:
        xs += [short(student.cost_usd_per_1k)] * student.epochs + [None]
        ys += [*map(short, student.val_accuracies), None]
    line = {"color": STOPPED, "width": 1}
    return go.Scatter(mode="lines", x=xs, y=ys, line=line, hoverinfo="skip", showlegend=False)


def _ends(students: list[ScreenedStudent], listed: bool) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name="on the short list" if listed else "stopped",
        mode="markers",
        x=[short(student.cost_usd_per_1k) for student in students],
        y=[short(student.val_accuracies[-1]) for student in students],
        customdata=[[hover(student.student, student.cost_usd_per_1k), student.epochs] for student in students],
        hovertemplate="%{customdata[0]}<br>%{y:.2%} after %{customdata[1]} epochs<extra></extra>",
        marker={"color": LISTED if listed else STOPPED, "symbol": "circle", "size": 10 if listed else 6},
    )


def _description(screening: Screening) -> str:
    rungs = fmt.listed(f"{rung.epoch}" for rung in screening.rungs)
    return (
        f"{screening.looked_at} of {len(screening.students)} students by cost and validation accuracy. Each line goes "
        f"from a student's first epoch to its last; they were compared after epochs {rungs}. On the short list: "
        f"{fmt.listed(screening.short_list)}."
    )
