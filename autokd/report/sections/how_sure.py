"""What the page needs to say how sure a verdict of its own policy is (templates/how_sure.js and flaws.js).

What does not depend on the settings that move is said here, in full; the rest are sentences with gaps, and numbers.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

from autokd.decide.at_stake import unshown_gain
from autokd.decide.comparisons import Comparison, Student, Tested
from autokd.decide.dials import WHOLE_REPLICAS, price_dials, volume_phrase
from autokd.decide.evidence import Evidence
from autokd.decide.explain import wording as say
from autokd.decide.explain.why_weak import WHY_WEAK
from autokd.decide.flaws import (
    borrowed_prices,
    borrowed_sentence,
    fixed_flaws,
    has_one_seed,
    may_have_seen_test,
    still_improving,
)
from autokd.decide.policy_limits import QUALITY, RETENTION
from autokd.decide.statistics.intervals import z_squared
from autokd.decide.what_if import slowest_within
from autokd.formatting import CONCLUSIONS, level
from autokd.naming import named, set_to
from autokd.records import Policy


def how_sure(comparison: Comparison, policy: Policy, stored: Evidence) -> dict[str, Any]:
    """Of a comparison under the conditions of the page; `stored`: the evidence as the run has it."""
    return {
        "fixed": fixed_flaws(comparison),
        "words": _words(),
        "verdicts": CONCLUSIONS,
        "level": level(comparison.evidence.level),
        "budget": _budget(comparison.evidence, stored),
        "borrowed": _borrowed(comparison, policy),
    }


def tested(option: Tested, policy: Policy) -> dict[str, Any]:
    """Intervals that the limits look at; recall only where one is asked.

    Its lower end and standard deviation are those of the class that shows least, its upper end of the one that can
    reach least.
    """
    found: dict[str, Any] = {
        "high": option.retention.high,
        "flips": [option.flips.low, option.flips.high],
        "recall": None,
    }
    if policy.min_class_recall is not None:
        worst = option.worst.recall
        deviation = (worst.high - worst.low) / 2 / sqrt(z_squared(worst.level))
        found["recall"] = [worst.low, option.lowest.recall.high, deviation]
    return found


def student_facts(comparison: Comparison, student: Student, policy: Policy) -> dict[str, Any]:
    """What is said of a student wherever it decides."""
    others = (limit for limit in QUALITY if limit is not RETENTION and not limit.is_met(student, policy))
    return {
        "seen_test": may_have_seen_test(comparison, student),
        "one_seed": has_one_seed(student),
        "improving": still_improving(comparison, student, policy) if student.record.recipe.epochs else None,
        "unshown_gain": unshown_gain(comparison, student) if student.arm == "distill" else "",
        "interval": say.percent_range(student.retention),
        "demand": next((limit.open_demand(student, policy) for limit in others), None),
    }


def _words() -> dict[str, str]:
    volume, budget = named("requests_per_month"), set_to("max_cost", 1).removesuffix("1")
    known = {"unpaid": volume, "refused_unpaid": volume, "untried": budget + "{max_cost}"}
    return {
        **{name: text.replace("{setting}", known.get(name, "{setting}")) for name, text in WHY_WEAK.items()},
        "keep": RETENTION.demand.format("{share}") + " ({interval})",
        "volume": _clause(volume_phrase("{span}")),
        "fleet": _clause(volume_phrase("{span}", WHOLE_REPLICAS)),
    }


def _budget(evidence: Evidence, stored: Evidence) -> dict[str, Any] | None:
    """What the search tried at most, as the cost of the slowest model within it; null stands for infinite."""
    if evidence.budget is None or stored.budget is None:
        return None
    cost = [evidence.budget] * 3
    if evidence.cost_model.model == "params":
        return {"number": -1, "cost": cost, "rps": None, "alone": None}
    speeds = slowest_within(stored.budget, stored, evidence)
    rps, alone = ([None if speed == inf else speed] * 3 for speed in speeds)
    return {"number": -1, "cost": cost, "rps": rps, "alone": alone}


def _borrowed(comparison: Comparison, policy: Policy) -> list[dict[str, Any]]:
    phrases = {dial.name: _clause(dial.phrase("{span}")) for dial in price_dials(comparison, policy)}
    return [
        {
            "setting": setting,
            "low": span.low,
            "high": span.high,
            "phrase": phrases[dial],
            "sentence": borrowed_sentence(setting, span, "{clause}"),
        }
        for dial, setting, span in borrowed_prices(comparison.evidence.cost_model)
    ]


def _clause(phrase: str) -> str:
    """A phrase inside a sentence."""
    return phrase[:1].lower() + phrase[1:]
