"""Learning curves, one chart an arm, with what was stopped; of many trials the best and a sample of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from autokd.records import Arm, EpochReport, TrialRecord
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import DONE, Chart, Mark, of_trials
from autokd.report.charts.svg import Frame, Linear, mark, percents

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
    reports = [report for mine in drawn.values() for t in mine for report in histories[t.number]]
    if not reports:
        return ()
    last = max(report.epoch for report in reports)
    epochs = Linear(0.5, max(last, 2) + 0.5, lambda value: f"{value:.0f}")
    frame = Frame(epochs, percents([report.val_accuracy for report in reports]), height=340)
    return tuple(
        _chart(frame, arm, mine, histories, of=len(_trained(trials, arm))) for arm, mine in drawn.items() if mine
    )


def _trained(trials: Sequence[TrialRecord], arm: Arm) -> list[TrialRecord]:
    return [trial for trial in trials if trial.arm == arm and trial.val_accuracy is not None]


def _chart(frame: Frame, arm: Arm, trials: Sequence[TrialRecord], histories: Histories, *, of: int) -> Chart:
    best = max(trials, key=lambda t: (t.val_accuracy or 0, -t.number))
    ordered = [*(trial for trial in trials if trial is not best), best]
    shown = f"{fmt.count(len(trials))} of {of_trials(of)}" if len(trials) < of else of_trials(of)
    stopped = sum(trial.state == "pruned" for trial in trials)
    return Chart(
        name=f"curves-{arm}",
        title=f"The {fmt.ARMS[arm]} arm",
        description=(
            f"{shown}, {stopped} of them stopped early; the best, trial {best.number} with {best.student}, ends at "
            f"{fmt.percent(best.val_accuracy)}."
        ),
        svg=frame.picture(
            frame.axes("epoch", "validation accuracy"),
            *(_curve(frame, arm, t, histories[t.number], t is best) for t in ordered),
        ),
        legend=(
            Mark("━", arm, "best trial"),
            Mark("─", arm, "trained to the end"),
            Mark("○", arm, "stopped at a comparison"),
        ),
        columns=("trial", "arm", "student", "state", "epoch", "val_accuracy"),
        rows=tuple(
            (t.number, t.arm, t.student, t.state, report.epoch, report.val_accuracy)
            for t in trials
            for report in _thinned(histories[t.number])
        ),
    )


def _curve(frame: Frame, arm: Arm, trial: TrialRecord, history: Sequence[EpochReport], best: bool) -> str:
    points = [(frame.px(report.epoch), frame.py(report.val_accuracy)) for report in _thinned(history)]
    stopped = trial.state != "complete"
    state = {"pruned": "stopped", "failed": "failed"}.get(trial.state, "ended")
    tip = (
        f"trial {trial.number}, {DONE[arm]} {trial.student}: {state} after {trial.epochs} epochs at "
        f"{fmt.percent(trial.val_accuracy, 2)}"
    )
    line = svg.path(points, f"curve {arm}{' best' if best else ''}{' stopped' if stopped else ''}", data_tip=tip)
    return line + mark("circle", *points[-1], 3.5, f"end {arm}{' hollow' if stopped else ''}", tip)


def _thinned(history: Sequence[EpochReport]) -> Sequence[EpochReport]:
    """At most about `POINTS_PER_CURVE` epochs, the last always among them."""
    step = max(1, -(-len(history) // POINTS_PER_CURVE))
    kept = [*history[::step]]
    return kept if kept[-1] is history[-1] else [*kept, history[-1]]
