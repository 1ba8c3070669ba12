"""Learning curves, one chart an arm; of many trials the best and an even sample of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autokd.records import Arm, EpochReport, TrialRecord
from autokd.report import format as fmt
from autokd.report.charts.base import COLOURS, Chart, finish, short

CURVES_PER_ARM = 120
BEST_CURVES = 30
POINTS_PER_CURVE = 50

Histories = Mapping[int, Sequence[EpochReport]]


def curve_numbers(trials: Sequence[TrialRecord]) -> frozenset[int]:
    """Numbers of the trials whose learning curve is drawn."""
    numbers: set[int] = set()
    for arm in fmt.ARMS:
        ordered = sorted(_trained(trials, arm), key=lambda t: (-(t.val_accuracy or 0), t.number))
        others = ordered[BEST_CURVES:]
        step = max(1, -(-len(others) // (CURVES_PER_ARM - BEST_CURVES)))
        numbers.update(trial.number for trial in [*ordered[:BEST_CURVES], *others[::step]])
    return frozenset(numbers)


def learning_curves(trials: Sequence[TrialRecord], histories: Histories) -> tuple[Chart, ...]:
    """A chart for each arm of which a trial has a history, on one vertical range."""
    drawn = {arm: [t for t in _trained(trials, arm) if histories.get(t.number)] for arm in fmt.ARMS}
    ends = [report.val_accuracy for mine in drawn.values() for t in mine for report in histories[t.number]]
    return tuple(
        _chart(arm, mine, histories, ends, of=len(_trained(trials, arm))) for arm, mine in drawn.items() if mine
    )


def _trained(trials: Sequence[TrialRecord], arm: Arm) -> list[TrialRecord]:
    return [trial for trial in trials if trial.arm == arm and trial.val_accuracy is not None]


def _chart(arm: Arm, trials: Sequence[TrialRecord], histories: Histories, ends: Sequence[float], *, of: int) -> Chart:
    import plotly.graph_objects as go

    best = max(trials, key=lambda t: (t.val_accuracy or 0, -t.number))
    others = [trial for trial in trials if trial is not best]
    figure = go.Figure()
    if others:
        figure.add_trace(_lines("other trials", others, histories, COLOURS[arm], bold=False))
    figure.add_trace(_lines("best trial", [best], histories, COLOURS[arm], bold=True))
    margin = 0.05 * (max(ends) - min(ends)) + 0.005
    figure.update_yaxes(
        title="validation accuracy", tickformat=".2~%", range=[short(min(ends) - margin), short(max(ends) + margin)]
    )
    figure.update_xaxes(title="epoch", tickformat="d")
    finish(figure)
    whole = "1 trial" if of == 1 else f"{fmt.count(of)} trials"
    shown = f"{fmt.count(len(trials))} of {whole}" if len(trials) < of else whole
    winner = f"trial {best.number} with {best.student}"
    description = f"{shown}; the best, {winner}, ends at {fmt.percent(best.val_accuracy)}."
    return Chart(f"curves-{arm}", f"The {fmt.ARMS[arm]} arm", description, figure)


def _lines(name: str, trials: Iterable[TrialRecord], histories: Histories, colour: str, *, bold: bool) -> Any:
    """All curves as one line with gaps: a trace each would make the page slow."""
    import plotly.graph_objects as go

    epochs: list[int | None] = []
    heights: list[float | None] = []
    numbers: list[int | None] = []
    for trial in trials:
        for point in _thinned(histories[trial.number]):
            epochs.append(point.epoch)
            heights.append(short(point.val_accuracy))
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


def _thinned(history: Sequence[EpochReport]) -> Sequence[EpochReport]:
    """At most about `POINTS_PER_CURVE` epochs, the last always among them."""
    step = max(1, -(-len(history) // POINTS_PER_CURVE))
    kept = [*history[::step]]
    return kept if kept[-1] is history[-1] else [*kept, history[-1]]
