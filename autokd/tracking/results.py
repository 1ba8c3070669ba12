"""What a tracker is told of the finalists and of the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from autokd.records import FinalistRecord, Report, known_options
from autokd.tracking.protocol import Tracker

RESULTS = ("report.json", "report.html", "options.csv", "trials.csv", "screening.csv", "finalists.csv", "student")


def track_finalists(tracker: Tracker, finalists: Sequence[FinalistRecord]) -> None:
    """Accuracy of every training of a finalist on validation and, after it was settled who stands, on test images."""
    for finalist in finalists:
        for seed in finalist.seeds:
            training = f"finalists/{finalist.number}/{seed.seed}"
            told = {"final_val_accuracy": seed.val_accuracy, "test_accuracy": seed.test_accuracy}
            tracker.metrics(training, told)
            tracker.end(training, "finished")


def track_verdict(tracker: Tracker, report: Report, run: Path) -> None:
    """Verdict, how sure it is, accuracy and cost of every option, and the files of the result."""
    tracker.text("verdict", f"{report.verdict} ({report.strength})")
    tracker.text("summary", report.summary)
    told = {"repeatability": report.repeatability, "at_stake_accuracy": report.at_stake.points}
    for name, option in known_options(report.options).items():
        told |= {
            f"{name}_accuracy": option.accuracy.mean,
            f"{name}_retention": option.retention.mean,
            f"{name}_cost_usd_per_1k": option.cost_usd_per_1k,
        }
    tracker.metrics(None, {name: value for name, value in told.items() if isfinite(value)})
    tracker.files([run / name for name in RESULTS if (run / name).exists()])
