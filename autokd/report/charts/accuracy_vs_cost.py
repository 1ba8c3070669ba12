"""Accuracy against cost: every trial, the finalists with their intervals, the teacher and the budget."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from autokd.formatting import printable
from autokd.records import Arm, FinalistSummary, Report, TrialRecord
from autokd.report import format as fmt
from autokd.report.charts.base import COLOURS, Chart, drawable, finish, short

SYMBOLS: dict[Arm, str] = {"distill": "circle", "direct": "diamond"}
FINALIST_SYMBOLS: dict[Arm, str] = {"distill": "square", "direct": "triangle-up"}
TEACHER_COLOUR = "#9a6fd0"
BUDGET_COLOUR = "#d0504a"
APART = 0.004  # of the axis: both arms train the same students, and their marks would cover each other


@dataclass(frozen=True)
class Axis:
    """The logarithmic cost axis; its ends are powers of ten."""

    low: float
    high: float

    @classmethod
    def over(cls, costs: Sequence[float]) -> Axis:
        """An axis that holds all costs with some room; all of them have to be above 0."""
        low, high = log10(min(costs)), log10(max(costs))
        margin = max(0.05 * (high - low), 0.1)
        return cls(low - margin, high + margin)

    def place(self, cost: float, arm: Arm) -> float:
        """Where a cost is drawn: distill a little to the left, direct a little to the right."""
        shift = (self.high - self.low) * APART * (-1 if arm == "distill" else 1)
        return short(cost * 10**shift)

    def layout(self) -> dict[str, Any]:
        """Range, and ticks at 1, 2 and 5 of every decade, labelled as money."""
        steps = (1,) if self.high - self.low > 3 else (1, 3) if self.high - self.low > 1.5 else (1, 2, 5)
        decades = range(floor(self.low), ceil(self.high) + 1)
        ticks = [float(f"{step * 10.0**decade:.6g}") for decade in decades for step in steps]
        return {
            "type": "log",
            "title": "cost, $ per 1,000 requests (log scale)",
            "range": [self.low, self.high],
            "tickvals": ticks,
            "ticktext": [fmt.usd(tick) for tick in ticks],
        }


def accuracy_against_cost(report: Report, trials: Sequence[TrialRecord]) -> Chart:
    """Every trial that has an accuracy (validation), the finalists and the teacher (test), and the budget."""
    import plotly.graph_objects as go

    drawn = [t for t in trials if t.val_accuracy is not None and drawable(t.cost_usd_per_1k)]
    finalists = [f for f in report.finalists if drawable(f.cost_usd_per_1k)]
    teacher = report.options.teacher
    costs = [t.cost_usd_per_1k for t in drawn] + [f.cost_usd_per_1k for f in finalists] + [teacher.cost_usd_per_1k]
    axis = Axis.over([report.policy.max_cost, *filter(drawable, costs)])

    figure = go.Figure()
    for arm in fmt.ARMS:
        for hollow in (True, False):
            if mine := [t for t in drawn if t.arm == arm and (t.state != "complete") == hollow]:
                figure.add_trace(_trials(arm, mine, axis, hollow=hollow))
    for arm in fmt.ARMS:
        if confirmed := [f for f in finalists if f.arm == arm]:
            figure.add_trace(_finalists(arm, confirmed, axis))
    if drawable(teacher.cost_usd_per_1k):
        figure.add_trace(_teacher(report))
    heights = [t.val_accuracy or 0 for t in drawn] + [f.accuracy.mean for f in finalists] + [teacher.accuracy.mean]
    figure.add_trace(_budget(report.policy.max_cost, heights))
    figure.update_xaxes(**axis.layout())
    figure.update_yaxes(title="accuracy", tickformat=".2~%")
    finish(figure)
    return Chart("cost", "Accuracy against cost", _description(report, trials, drawn), figure)


def _trials(arm: Arm, trials: Sequence[TrialRecord], axis: Axis, *, hollow: bool) -> Any:
    import plotly.graph_objects as go

    few = len(trials) <= 1_000
    return go.Scatter(
        name=f"{arm}, {' or '.join(sorted({t.state for t in trials}))}",
        mode="markers",
        x=[axis.place(t.cost_usd_per_1k, arm) for t in trials],
        y=[short(t.val_accuracy or 0) for t in trials],
        customdata=[[t.number, hover(t.student, t.cost_usd_per_1k), t.epochs] for t in trials],
        hovertemplate="trial %{customdata[0]}<br>%{customdata[1]}<br>%{y:.2%} on validation, "
        "%{customdata[2]} epochs<extra></extra>",
        marker={
            "color": COLOURS[arm],
            "symbol": f"{SYMBOLS[arm]}-open" if hollow else SYMBOLS[arm],
            "size": 8 if few else 5,
            "opacity": 0.75 if few else 0.4,
        },
    )


def _finalists(arm: Arm, finalists: Sequence[FinalistSummary], axis: Axis) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=f"{arm}, finalists (test)",
        mode="markers",
        x=[axis.place(f.cost_usd_per_1k, arm) for f in finalists],
        y=[short(f.accuracy.mean) for f in finalists],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [short(f.accuracy.high - f.accuracy.mean) for f in finalists],
            "arrayminus": [short(f.accuracy.mean - f.accuracy.low) for f in finalists],
            "thickness": 1.5,
            "width": 5,
        },
        customdata=[[f.number, fmt.ROLES[f.role], hover(f.student, f.cost_usd_per_1k)] for f in finalists],
        hovertemplate="finalist %{customdata[0]}, %{customdata[1]}<br>%{customdata[2]}<br>%{y:.2%} on test"
        "<extra></extra>",
        marker={
            "color": COLOURS[arm],
            "symbol": FINALIST_SYMBOLS[arm],
            "size": 12,
            "line": {"width": 1.5, "color": "#ffffff"},
        },
    )


def _teacher(report: Report) -> Any:
    import plotly.graph_objects as go

    teacher = report.options.teacher
    return go.Scatter(
        name="teacher (test)",
        mode="markers",
        x=[short(teacher.cost_usd_per_1k)],
        y=[short(teacher.accuracy.mean)],
        customdata=[hover(teacher.student, teacher.cost_usd_per_1k)],
        hovertemplate="teacher<br>%{customdata}<br>%{y:.2%} on test<extra></extra>",
        marker={
            "color": TEACHER_COLOUR,
            "symbol": "star",
            "size": 17,
            "line": {"width": 1, "color": "#ffffff"},
        },
    )


def _budget(budget: float, heights: Sequence[float]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=f"budget {fmt.usd(budget)}",
        mode="lines",
        x=[budget, budget],
        y=[short(min(heights) - 0.01), short(max(heights) + 0.01)],
        hovertemplate="budget<extra></extra>",
        line={"color": BUDGET_COLOUR, "dash": "dash", "width": 2},
    )


def hover(student: str, cost: float) -> str:
    """Name and cost; plotly reads some markup in labels, so the name is escaped here too."""
    return f"{html.escape(printable(student))}, {fmt.usd(cost)}"


def _description(report: Report, trials: Sequence[TrialRecord], drawn: Sequence[TrialRecord]) -> str:
    missing = len(trials) - len(drawn)
    teacher = report.options.teacher
    return (
        f"{fmt.count(len(drawn))} trials by their accuracy on validation images, {len(report.finalists)} finalists and "
        "the teacher by their accuracy on test images. Bars are "
        f"{fmt.share(teacher.accuracy.level)} intervals, hollow marks were not trained to the end, and the arms are "
        "set slightly apart. "
        f"The teacher stands at {fmt.usd(teacher.cost_usd_per_1k)} and {fmt.percent(teacher.accuracy.mean)}, the "
        f"budget at {fmt.usd(report.policy.max_cost)}."
        + (f" {fmt.count(missing)} more trials cannot be drawn: they have no accuracy." if missing else "")
    )
