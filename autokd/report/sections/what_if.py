"""What the page's own policy (templates/policy.js) needs of a run: the options as the rules weigh them, and settings.

The names of the settings are those of `autokd decide`, so that the page can write the command that says the same.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

from autokd.cost.repricing import OF_REPLICAS
from autokd.decide.comparisons import Comparison, Tested, compare
from autokd.decide.evidence import read_evidence
from autokd.decide.policy_limits import QUALITY, RETENTION, missed
from autokd.decide.repeats import Repeats
from autokd.decide.statistics.intervals import z_squared
from autokd.decide.what_if import under
from autokd.errors import RunError
from autokd.formatting import VERDICTS
from autokd.records import CostModel, Interval, PayPerUse, Policy, Reading, Report
from autokd.report.sections.provenance import conditions_given
from autokd.runs.folder import Run

ASKED = ("max_cost", "min_retention", "min_gain", "prefer", "max_latency_ms", "horizon_months", "adoption_usd")


def what_if(run: Run, report: Report, source: str) -> dict[str, Any] | None:
    """The evidence of a run at the costs of a report, as JSON; None where it cannot be read, or nothing was confirmed.

    source: how a command names the run.
    """
    try:
        evidence = read_evidence(run)
    except RunError:
        return None
    if not evidence.finalists:
        return None
    return embedded(compare(under(evidence, report.cost_model)), report, source)


def embedded(comparison: Comparison, report: Report, source: str) -> dict[str, Any]:
    """The same of a comparison."""
    policy, readings = report.policy, comparison.evidence.readings
    return {
        "forms": [_option(form, policy) for form in comparison.forms],
        "students": [
            {**_option(s, policy), "twin": comparison.twins.get(s.number), "untrained": not s.record.recipe.epochs}
            for s in comparison.students
        ],
        "differences": {
            f"{distilled},{direct}": [estimate.mean, estimate.interval.low]
            for (distilled, direct), estimate in comparison.differences.items()
        },
        "looked": {name: _reading(reading) for name, reading in readings.items()},
        "repeats": _repeats(comparison, policy),
        "spent": comparison.spent_usd,
        "titles": {verdict: words.capitalize() for verdict, words in VERDICTS.items()},
        "teacher": comparison.evidence.teacher.name,
        "teacher_accuracy": comparison.teacher_accuracy.mean,
        "measured": report.cost_model.model == "measured",
        "settings": {**{name: getattr(policy, name) for name in ASKED}, **_serving(report.cost_model, policy)},
        "run": source,
        "given": conditions_given(report),
        "of_replicas": list(OF_REPLICAS),
    }


def _option(option: Tested, policy: Policy) -> dict[str, Any]:
    others = tuple(limit for limit in QUALITY if limit is not RETENTION)
    return {
        "number": option.number,
        "arm": option.arm,
        "name": option.name,
        **_reading(option.reading),
        "latency": option.latency_ms,
        "accuracy": option.accuracy.mean,
        "retention": option.retention.mean,
        "low": option.retention.low,
        "val": option.val_accuracy,
        "others": not missed(others, option, policy),
    }


def _reading(reading: Reading) -> dict[str, Any]:
    """What follows other prices: mean, low and high of the cost, of the capacity, and of the seconds of a request."""
    return {
        "cost": _ends(reading.cost_usd_per_1k),
        "rps": _ends(reading.capacity_interval),
        "alone": _ends(reading.alone_seconds),
        "z": sqrt(z_squared(reading.cost_usd_per_1k.level)),
    }


def _ends(interval: Interval | None) -> list[float | None] | None:
    """JSON has no word for infinite, and says null."""
    if interval is None:
        return None
    return [end if isfinite(end) else None for end in (interval.mean, interval.low, interval.high)]


def _repeats(comparison: Comparison, policy: Policy) -> dict[str, Any] | None:
    """The draws of the repeats (decide/repeats.py); None with a limit in them that the page cannot ask."""
    if policy.max_negative_flips is not None or policy.min_class_recall is not None:
        return None
    moves = Repeats(comparison).moves()
    drawn = {"tests": moves.tests, "vals": moves.vals, "costs": moves.costs}
    short = {name: [[float(f"{x:.5g}") for x in row] for row in rows] for name, rows in drawn.items()}
    return {**short, "drift": [float(f"{x:.5g}") for x in moves.drift], "models": moves.models}


def _serving(model: CostModel, policy: Policy) -> dict[str, float | None]:
    rate = model.pay_per_use
    bill = rate or PayPerUse(usd_per_second=1.0)  # what the other fields are where requests begin to be billed by use
    return {
        "requests_per_month": policy.requests_per_month,
        "price_per_hour": model.price_usd_per_hour,
        "teacher_price_per_hour": model.teacher_price.price_usd_per_hour if model.teacher_price else None,
        "price_per_second": rate.usd_per_second if rate else None,
        "price_per_request": bill.usd_per_request,
        "billing_increment_ms": bill.increment_ms,
        "billing_minimum_ms": bill.minimum_ms,
        "utilization": model.utilization,
        "accelerators_per_replica": model.accelerators_per_replica,
        "min_replicas": model.min_replicas,
        "peak_to_mean": model.peak_to_mean,
        "target_utilization": model.target_utilization,
        "price_per_billion": model.usd_per_1k_per_billion,
    }
