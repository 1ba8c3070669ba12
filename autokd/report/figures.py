"""The charts: accuracy against cost with every trial, and learning curves by arm. They are plain plotly figures."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any

from autokd.records import Arm, EpochReport, FinalistSummary, Report, TrialRecord, TrialState
from autokd.report import format as fmt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Tones that stand out from white and from near-black alike, and from each other for the colour-blind.
COLOURS: dict[Arm, str] = {"distill": "#2b83c9", "direct": "#e0802b"}
SYMBOLS: dict[Arm, str] = {"distill": "circle", "direct": "diamond"}
TEACHER_COLOUR = "#9a6fd0"
BUDGET_COLOUR = "#d0504a"

CURVES_PER_ARM = 120
BEST_CURVES = 30
POINTS_PER_CURVE = 50

Histories = Mapping[int, Sequence[EpochReport]]


@dataclass(frozen=True)
class Chart:
    """A figure with what a reader who cannot see it needs."""

    name: str
    title: str
    description: str
    figure: Figure


def charts(report: Report, trials: Sequence[TrialRecord], histories: Histories) -> tuple[Chart, ...]:
    """The charts that there is something to draw for."""
    drawn = []
    if report.finalists or any(trial.val_accuracy is not None for trial in trials):
        drawn.append(accuracy_against_cost(report, trials))
    curves = {arm: [t for t in trials if t.arm == arm and histories.get(t.number)] for arm in fmt.ARMS}
    ends = [r.val_accuracy for mine in curves.values() for t in mine for r in histories[t.number]]
    drawn += [learning_curves(arm, mine, histories, ends) for arm, mine in curves.items() if mine]
    return tuple(drawn)


def curve_numbers(trials: Sequence[TrialRecord]) -> frozenset[int]:
    """Numbers of the trials whose learning curve is drawn: the best of each arm, and an even sample of the others."""
    numbers: set[int] = set()
    for arm in fmt.ARMS:
        trained = (t for t in trials if t.arm == arm and t.val_accuracy is not None)
        ordered = sorted(trained, key=lambda t: (-(t.val_accuracy or 0), t.number))
        others = ordered[BEST_CURVES:]
        step = max(1, -(-len(others) // (CURVES_PER_ARM - BEST_CURVES)))
        numbers.update(trial.number for trial in [*ordered[:BEST_CURVES], *others[::step]])
    return frozenset(numbers)


def accuracy_against_cost(report: Report, trials: Sequence[TrialRecord]) -> Chart:
    """Every trial that has an accuracy (validation), the finalists and the teacher (test), and the budget."""
    import plotly.graph_objects as go

    drawn = [t for t in trials if t.val_accuracy is not None and _drawable(t.cost_usd_per_1k)]
    figure = go.Figure()
    for arm in fmt.ARMS:
        for hollow in (True, False):
            if mine := [t for t in drawn if t.arm == arm and (t.state != "complete") == hollow]:
                figure.add_trace(_trials_trace(arm, mine, hollow))
    for arm in fmt.ARMS:
        if finalists := [f for f in report.finalists if f.arm == arm and _drawable(f.cost_usd_per_1k)]:
            figure.add_trace(_finalists_trace(arm, finalists))
    if _drawable(report.options.teacher.cost_usd_per_1k):
        figure.add_trace(_teacher_trace(report))
    heights = [t.val_accuracy or 0 for t in drawn] + [f.accuracy.mean for f in report.finalists]
    figure.add_trace(_budget_trace(report.policy.max_cost, [*heights, report.options.teacher.accuracy.mean]))
    figure.update_xaxes(type="log", title="cost, US dollars per 1,000 requests (log scale)", **_money_ticks(figure))
    figure.update_yaxes(title="accuracy", tickformat=".0%")
    _finish(figure, height=480)
    return Chart("cost", "Accuracy against cost", _cost_description(report, trials, drawn), figure)


def learning_curves(arm: Arm, trials: Sequence[TrialRecord], histories: Histories, ends: Sequence[float]) -> Chart:
    """Validation accuracy by epoch, one line a trial, the best trial in bold; `ends` set a common vertical range."""
    import plotly.graph_objects as go

    best = max(trials, key=lambda t: (t.val_accuracy or 0, -t.number))
    others = [trial for trial in trials if trial is not best]
    figure = go.Figure()
    if others:
        figure.add_trace(_curves_trace(f"other trials ({len(others)})", others, histories, COLOURS[arm], bold=False))
    name = f"best trial ({best.number}, {html.escape(best.student)})"
    figure.add_trace(_curves_trace(name, [best], histories, COLOURS[arm], bold=True))
    margin = 0.05 * (max(ends) - min(ends)) + 0.005
    figure.update_yaxes(
        title="validation accuracy",
        tickformat=".0%",
        range=[_short(min(ends) - margin), _short(max(ends) + margin)],
    )
    figure.update_xaxes(title="epoch", tickformat="d")
    _finish(figure, height=380)
    winner = f"trial {best.number} with {best.student}"
    description = f"{len(trials)} trials; the best, {winner}, ends at {fmt.percent(best.val_accuracy)}."
    return Chart(f"curves-{arm}", f"The {fmt.ARMS[arm]} arm", description, figure)


# ---- traces ----------------------------------------------------------------------------------------------------


def _trials_trace(arm: Arm, trials: Sequence[TrialRecord], hollow: bool) -> Any:
    import plotly.graph_objects as go

    symbol = f"{SYMBOLS[arm]}-open" if hollow else SYMBOLS[arm]
    few = len(trials) <= 1_000
    return go.Scatter(
        name=f"{arm}, {_states(trials)}",
        mode="markers",
        x=[_short(t.cost_usd_per_1k) for t in trials],
        y=[_short(t.val_accuracy or 0) for t in trials],
        customdata=[[t.number, html.escape(fmt.printable(t.student)), t.epochs] for t in trials],
        hovertemplate="trial %{customdata[0]}<br>%{customdata[1]}<br>%{y:.2%} on validation, "
        "%{customdata[2]} epochs<br>$%{x:.3g} per 1,000<extra></extra>",
        marker={
            "color": COLOURS[arm],
            "symbol": symbol,
            "size": 8 if few else 5,
            "opacity": 0.75 if few else 0.4,
        },
    )


def _finalists_trace(arm: Arm, finalists: Sequence[FinalistSummary]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=f"{arm}, finalists (test)",
        mode="markers",
        x=[_short(f.cost_usd_per_1k) for f in finalists],
        y=[_short(f.accuracy.mean) for f in finalists],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [_short(f.accuracy.high - f.accuracy.mean) for f in finalists],
            "arrayminus": [_short(f.accuracy.mean - f.accuracy.low) for f in finalists],
            "thickness": 1.5,
            "width": 5,
        },
        customdata=[[f.number, html.escape(fmt.printable(f.student)), fmt.ROLES[f.role]] for f in finalists],
        hovertemplate="finalist %{customdata[0]}, %{customdata[2]}<br>%{customdata[1]}<br>%{y:.2%} on test"
        "<br>$%{x:.3g} per 1,000<extra></extra>",
        marker={
            "color": COLOURS[arm],
            "symbol": "square" if arm == "distill" else "triangle-up",
            "size": 12,
            "line": {"width": 1.5, "color": "#ffffff"},
        },
    )


def _teacher_trace(report: Report) -> Any:
    import plotly.graph_objects as go

    teacher = report.options.teacher
    return go.Scatter(
        name="teacher (test)",
        mode="markers",
        x=[_short(teacher.cost_usd_per_1k)],
        y=[_short(teacher.accuracy.mean)],
        customdata=[[html.escape(fmt.printable(teacher.student))]],
        hovertemplate="teacher<br>%{customdata[0]}<br>%{y:.2%} on test<br>$%{x:.3g} per 1,000<extra></extra>",
        marker={
            "color": TEACHER_COLOUR,
            "symbol": "star",
            "size": 17,
            "line": {"width": 1, "color": "#ffffff"},
        },
    )


def _budget_trace(budget: float, heights: Sequence[float]) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        name=f"budget {fmt.usd(budget)}",
        mode="lines",
        x=[budget, budget],
        y=[_short(min(heights) - 0.01), _short(max(heights) + 0.01)],
        hovertemplate="budget<extra></extra>",
        line={"color": BUDGET_COLOUR, "dash": "dash", "width": 2},
    )


def _curves_trace(name: str, trials: Iterable[TrialRecord], histories: Histories, colour: str, *, bold: bool) -> Any:
    """All curves as one line with gaps: a trace each would make the page slow."""
    import plotly.graph_objects as go

    epochs: list[int | None] = []
    heights: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        for point in _thinned(histories[trial.number]):
            epochs.append(point.epoch)
            heights.append(_short(point.val_accuracy))
            numbers.append(trial.number)
        for column in (epochs, heights, numbers):
            column.append(None)
    return go.Scatter(
        name=name,
        mode="lines+markers",
        x=epochs,
        y=heights,
        customdata=numbers,
        hovertemplate="trial %{customdata}<br>epoch %{x}: %{y:.2%}<extra></extra>",
        line={"color": colour, "width": 3.5 if bold else 1.2},
        marker={"size": 6 if bold else 3},
        opacity=1.0 if bold else 0.45,
    )


# ---- help ------------------------------------------------------------------------------------------------------


def _thinned(history: Sequence[EpochReport]) -> Sequence[EpochReport]:
    """At most about `POINTS_PER_CURVE` epochs, the last always among them."""
    step = max(1, -(-len(history) // POINTS_PER_CURVE))
    kept = [*history[::step]]
    return kept if kept[-1] is history[-1] else [*kept, history[-1]]


def _states(trials: Sequence[TrialRecord]) -> str:
    states: dict[TrialState, None] = dict.fromkeys(t.state for t in trials)
    return " or ".join(sorted(states))


def _money_ticks(figure: Figure) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 of every decade that the points span, labelled as money."""
    costs = [x for trace in figure.data for x in trace.x]
    low, high = log10(min(costs)), log10(max(costs))
    margin = max(0.05 * (high - low), 0.1)
    decades = range(floor(low - margin), ceil(high + margin) + 1)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "tickvals": [float(f"{tick:.6g}") for tick in ticks],
        "ticktext": [fmt.usd(tick) for tick in ticks],
        "range": [low - margin, high + margin],
    }


def _finish(figure: Figure, height: int) -> None:
    """What both charts share; the colours of text and grid follow the reader's light or dark page."""
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 64, "r": 16, "t": 12, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"},
    )
    figure.update_xaxes(automargin=True, zeroline=False)
    figure.update_yaxes(automargin=True, zeroline=False)


def _cost_description(report: Report, trials: Sequence[TrialRecord], drawn: Sequence[TrialRecord]) -> str:
    missing = len(trials) - len(drawn)
    without = f" {missing} more ended before they had an accuracy." if missing else ""
    teacher = report.options.teacher
    return (
        f"{len(drawn):,} trials by their accuracy on validation images, {len(report.finalists)} finalists and the "
        "teacher by their accuracy on test images; bars are 95 % intervals, hollow marks were pruned or failed. "
        f"The teacher stands at "
        f"{fmt.usd(teacher.cost_usd_per_1k)} and {fmt.percent(teacher.accuracy.mean)}, the budget at "
        f"{fmt.usd(report.policy.max_cost)}.{without}"
    )


def _drawable(cost: float) -> bool:
    return isfinite(cost) and cost > 0


def _short(number: float) -> float:
    """Five significant digits: more than a chart can show, and a third of the bytes."""
    return float(f"{number:.5g}")
