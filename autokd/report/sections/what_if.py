"""What the page's own policy (templates/policy.js) needs of a run: the options as the rules weigh them, and settings.

The names of the settings are those of `autokd decide`, so that the page can write the command that says the same.
"""

from __future__ import annotations

from math import isfinite, sqrt
from typing import Any

from autokd.cost.repricing import OF_REPLICAS
from autokd.decide.best_forms import measured_forms
from autokd.decide.comparisons import Comparison, Student, Tested, compare
from autokd.decide.evidence import Evidence, read_evidence
from autokd.decide.flaws import export_command, served_words
from autokd.decide.repeats import Repeats
from autokd.decide.statistics.intervals import z_squared
from autokd.decide.what_if import under_conditions
from autokd.errors import UsageError
from autokd.formatting import VERDICTS
from autokd.records import CostModel, Interval, PayPerUse, Policy, Reading, Report
from autokd.report.sections.how_sure import how_sure, student_facts, tested
from autokd.report.sections.provenance import conditions_given
from autokd.runs.folder import Run

ASKED = tuple(name for name in Policy.model_fields if name != "requests_per_month")


def what_if(run: Run, report: Report, source: str) -> dict[str, Any] | None:
    """The evidence of a run under the conditions of a report; None where it cannot be read or nothing was confirmed.

    As JSON. source: how a command names the run.
    """
    try:
        stored = read_evidence(run)
        evidence = under_conditions(run, stored, report.conditions, report.policy)
    except UsageError:
        return None
    if not evidence.finalists:
        return None
    return embedded(compare(evidence), report, source, stored)


def embedded(comparison: Comparison, report: Report, source: str, stored: Evidence) -> dict[str, Any]:
    """The same of a comparison; `stored`: the evidence as the run has it."""
    policy, readings = report.policy, comparison.evidence.readings
    return {
        "forms": [_option(form, policy) for form in comparison.forms],
        "students": [
            {
                **_option(s, policy),
                "twin": comparison.twins.get(s.number),
                "untrained": not s.record.recipe.epochs,
                **student_facts(comparison, s, policy),
                **_other_forms(comparison, s, policy),
            }
            for s in comparison.students
        ],
        "differences": {
            f"{distilled},{direct}": [estimate.mean, estimate.interval.low, estimate.interval.high]
            for (distilled, direct), estimate in comparison.differences.items()
        },
        "looked": {name: _reading(reading) for name, reading in readings.items()},
        "repeats": _repeats(comparison, policy),
        "sure": how_sure(comparison, policy, stored),
        "spent": comparison.spent_usd,
        "titles": {verdict: words.capitalize() for verdict, words in VERDICTS.items()},
        "teacher": comparison.evidence.teacher.name,
        "teacher_accuracy": comparison.teacher_accuracy.mean,
        "teacher_to_keep": comparison.evidence.teacher.to_keep,
        "measured": report.cost_model.model == "measured",
        "settings": {**{name: getattr(policy, name) for name in ASKED}, **_serving(report.cost_model, policy)},
        "run": source,
        "given": conditions_given(report),
        "of_replicas": list(OF_REPLICAS),
    }


def _option(option: Tested, policy: Policy) -> dict[str, Any]:
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
        **tested(option, policy),
    }


def _other_forms(comparison: Comparison, student: Student, policy: Policy) -> dict[str, Any]:
    """A student in the forms that it was measured in besides the run's."""
    known = comparison.evidence.student_forms
    return {
        "measured_forms": any(forms.finalist == student.number for forms in known),
        "other_forms": [
            {
                **_option(form, policy),
                "form_val": form.form.val_accuracy,
                "lost": max(form.lost, 0.0),
                "served": served_words(form),
                "command": export_command(form),
            }
            for form in measured_forms(comparison, student)
        ],
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


def _repeats(comparison: Comparison, policy: Policy) -> dict[str, Any]:
    """The draws of the repeats (decide/repeats.py); recalls only where a limit asks for them."""
    moves = Repeats(comparison).moves()
    drawn = {"tests": moves.tests, "vals": moves.vals, "costs": moves.costs, "drift": moves.drift}
    if policy.min_class_recall is not None:
        drawn["recalls"] = moves.recalls
    return {**{name: rows.tolist() for name, rows in drawn.items()}, "models": moves.models}


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
