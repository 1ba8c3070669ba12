"""Temperature and alpha of the distilled trials against their accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autokd.records import TrialRecord
from autokd.report import format as fmt
from autokd.report.charts.base import Chart, Mark, of_trials
from autokd.report.charts.svg import Frame, Linear, Log, Scale, mark, percents

MOST = 1_000  # marks of one chart; of more trials an even sample and the best


def recipe_charts(trials: Sequence[TrialRecord]) -> tuple[Chart, ...]:
    """Two charts on one vertical range; none where nothing was distilled with a temperature."""
    used = [t for t in trials if t.arm == "distill" and t.val_accuracy is not None and t.recipe.loss != "hard"]
    if not used:
        return ()
    ordered = sorted(used, key=lambda t: -(t.val_accuracy or 0))
    drawn = ordered if len(used) <= MOST else ordered[:: -(-len(used) // MOST)]
    heights = percents([t.val_accuracy or 0 for t in drawn])
    temperatures = Log.over([t.recipe.temperature for t in drawn], lambda value: f"{value:g}")
    alphas = Linear(-0.03, 1.03, lambda value: f"{value:g}")
    return (
        _chart("temperature", "Temperature", temperatures, heights, drawn, len(used), lambda t: t.recipe.temperature),
        _chart("alpha", "Weight of the teacher (alpha)", alphas, heights, drawn, len(used), lambda t: t.recipe.alpha),
    )


def _chart(
    name: str,
    title: str,
    scale: Scale,
    heights: Scale,
    trials: Sequence[TrialRecord],
    of: int,
    value: Callable[[TrialRecord], float],
) -> Chart:
    frame = Frame(scale, heights, height=320)
    best = trials[0]
    shown = of_trials(of) if len(trials) == of else f"{fmt.count(len(trials))} of {of_trials(of)}"
    return Chart(
        name=name,
        title=f"{title} against accuracy",
        description=f"{shown}, all students together; the best has {name} {value(best):.3g}.",
        svg=frame.picture(
            frame.axes(name, "validation accuracy"),
            *(_trial(frame, name, trial, value(trial)) for trial in reversed(trials)),
        ),
        legend=(Mark("●", "distill", "trained to the end"), Mark("○", "distill", "stopped early")),
        columns=("trial", "student", name, "val_accuracy", "state"),
        rows=tuple((t.number, t.student, value(t), t.val_accuracy, t.state) for t in trials),
    )


def _trial(frame: Frame, name: str, trial: TrialRecord, value: float) -> str:
    tip = f"trial {trial.number}, {trial.student}: {name} {value:.3g}, {fmt.percent(trial.val_accuracy, 2)}"
    hollow = "" if trial.state == "complete" else " hollow"
    return mark("circle", frame.px(value), frame.py(trial.val_accuracy or 0), 4.5, f"end distill{hollow}", tip)
