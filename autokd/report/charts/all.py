"""All charts of the page by name; a chart that there is nothing to draw for is absent."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.records import Report, Screening, TrialRecord
from autokd.report.charts.accuracy_vs_cost import accuracy_against_cost
from autokd.report.charts.base import Chart
from autokd.report.charts.class_changes import class_changes
from autokd.report.charts.differences import differences
from autokd.report.charts.learning_curves import Histories, learning_curves
from autokd.report.charts.money import money_over_time
from autokd.report.charts.recipes import recipe_charts
from autokd.report.charts.reliability import Reliability, reliability_diagram
from autokd.report.charts.screening import screening_by_cost
from autokd.report.charts.verdict_map import verdicts_by_load


def charts(
    report: Report,
    trials: Sequence[TrialRecord],
    histories: Histories,
    screening: Screening | None = None,
    reliability: Sequence[Reliability] = (),
) -> dict[str, Chart]:
    """In the order of the page, from accuracy against cost to the recipes."""
    measured = report.finalists or any(trial.val_accuracy is not None for trial in trials)
    found = (
        accuracy_against_cost(report, trials, screening) if measured else None,
        verdicts_by_load(report),
        money_over_time(report),
        differences(report),
        reliability_diagram(reliability),
        class_changes(report),
        screening_by_cost(screening) if screening else None,
        *learning_curves(trials, histories),
        *recipe_charts(trials),
    )
    return {chart.name: chart for chart in found if chart is not None}
