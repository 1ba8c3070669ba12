"""All charts of the page, as plotly figures; a chart that there is nothing to draw for is absent."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.records import Report, Screening, TrialRecord
from autokd.report.charts.accuracy_vs_cost import accuracy_against_cost
from autokd.report.charts.base import Chart
from autokd.report.charts.learning_curves import Histories, learning_curves
from autokd.report.charts.screening import screening_by_cost


def charts(
    report: Report, trials: Sequence[TrialRecord], histories: Histories, screening: Screening | None = None
) -> tuple[Chart, ...]:
    """Accuracy against cost, then the screening, then the learning curves of each arm."""
    measured = report.finalists or any(trial.val_accuracy is not None for trial in trials)
    cost = (accuracy_against_cost(report, trials),) if measured else ()
    screened = (screening_by_cost(screening),) if screening and screening.looked_at else ()
    return (*cost, *screened, *learning_curves(trials, histories))
