"""options.csv: teacher, direct and distilled option, one row each, under the verdict and how sure it is."""

from __future__ import annotations

from pathlib import Path

from autokd.files import write_text
from autokd.records import Option, Report, known_options
from autokd.runs.tables import table_text

OPTIONS = "options.csv"
OPTION_COLUMNS = (
    "verdict", "strength", "repeatability", "at_stake_accuracy", "at_stake_usd_per_1k", "at_stake_usd_per_month",
    "option", "recommended", "student", "finalist", "parameters", "ratio", "accuracy", "accuracy_low", "accuracy_high",
    "seeds", "retention", "retention_low", "retention_high", "level", "cost_usd_per_1k", "monthly_usd",
    "one_time_usd", "latency_p95_ms", "capacity_rps", "energy_wh_per_1k", "eligible", "worthwhile",
    "best_form", "best_form_cost_usd_per_1k", "best_form_test_accuracy", "factor_in_best_forms",
)  # fmt: skip


def write_options(folder: Path, report: Report) -> None:
    """Write options.csv into a folder; accuracies, what is at stake of them, and retention are shares of 1."""
    write_text(folder / OPTIONS, table_text(OPTION_COLUMNS, option_rows(report)))


def option_rows(report: Report) -> list[dict[str, object]]:
    """The options that there are, teacher first, with the columns of options.csv."""
    options = known_options(report.options)
    return [_row(report, name, option, option is report.taken) for name, option in options.items()]


def _row(report: Report, name: str, option: Option, recommended: bool) -> dict[str, object]:
    stake = report.at_stake
    form = next((form for form in option.forms if form.best), None)
    return {
        "verdict": report.verdict,
        "strength": report.strength,
        "repeatability": report.repeatability,
        "at_stake_accuracy": stake.points,
        "at_stake_usd_per_1k": stake.usd_per_1k,
        "at_stake_usd_per_month": stake.usd_per_month,
        "option": name,
        "recommended": recommended,
        "student": option.student,
        "finalist": option.finalist,
        "parameters": option.parameters,
        "ratio": option.ratio,
        "accuracy": option.accuracy.mean,
        "accuracy_low": option.accuracy.low,
        "accuracy_high": option.accuracy.high,
        "seeds": option.accuracy.seeds,
        "retention": option.retention.mean,
        "retention_low": option.retention.low,
        "retention_high": option.retention.high,
        "level": option.accuracy.level,
        "cost_usd_per_1k": option.cost_usd_per_1k,
        "monthly_usd": option.monthly_usd,
        "one_time_usd": option.one_time_usd,
        "latency_p95_ms": option.latency_ms.p95 if option.latency_ms else None,
        "capacity_rps": option.capacity_rps,
        "energy_wh_per_1k": option.energy_wh_per_1k,
        "eligible": option.eligible,
        "worthwhile": option.worthwhile,
        "best_form": form.words if form else None,
        "best_form_cost_usd_per_1k": form.cost_usd_per_1k if form else None,
        "best_form_test_accuracy": form.test_accuracy if form else None,
        "factor_in_best_forms": option.factor_in_best_forms,
    }
