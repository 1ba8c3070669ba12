"""What the page's own policy (templates/policy.js) needs of a run: the options as the rules weigh them, and settings.

The names of the settings are those of `autokd decide`, so that the page can write the command that says the same.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from autokd.cost.repricing import OF_REPLICAS
from autokd.decide.comparisons import Comparison, Tested, compare
from autokd.decide.evidence import read_evidence
from autokd.decide.policy_limits import QUALITY, RETENTION, missed
from autokd.decide.what_if import under
from autokd.errors import RunError
from autokd.formatting import VERDICTS
from autokd.records import CostModel, PayPerUse, Policy, Report
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
        "looked": {
            name: {
                "cost": reading.cost_usd_per_1k.mean if isfinite(reading.cost_usd_per_1k.mean) else None,
                "rps": reading.capacity_rps,
                "alone": reading.alone_seconds.mean if reading.alone_seconds else None,
            }
            for name, reading in readings.items()
        },
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
    reading, others = option.reading, tuple(limit for limit in QUALITY if limit is not RETENTION)
    return {
        "number": option.number,
        "arm": option.arm,
        "name": option.name,
        "cost": option.cost.mean if isfinite(option.cost.mean) else None,
        "rps": reading.capacity_interval.mean if reading.capacity_interval else None,
        "alone": reading.alone_seconds.mean if reading.alone_seconds else None,
        "latency": option.latency_ms,
        "accuracy": option.accuracy.mean,
        "retention": option.retention.mean,
        "low": option.retention.low,
        "val": option.val_accuracy,
        "others": not missed(others, option, policy),
    }


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
