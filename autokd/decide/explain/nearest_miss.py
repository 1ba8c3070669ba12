"""Where nothing meets the limits: what came nearest, and the smallest change that would be enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from autokd import formatting as fmt
from autokd.decide.comparisons import Offer
from autokd.decide.economics import within
from autokd.decide.explain.refusals import refusals, teacher_refusals
from autokd.decide.policy import Judgement
from autokd.decide.policy_limits import COST, LIMITS, SERVING, Limit, missed
from autokd.decide.sensitivity import Change
from autokd.records import LeftOut, Policy


@dataclass(frozen=True)
class Miss:
    """An option that was refused: how far it is off, and everything it would take."""

    name: str
    shortfall: float  # sum of the logarithms of the factors by which it misses its limits
    why: str
    remedy: str
    untrained: bool = False


def nearest_miss(judged: Judgement) -> Miss:
    """The option that misses its limits by the least: a finalist, the teacher, or a student that was not trained."""
    comparison, policy = judged.comparison, judged.policy
    teacher = f"the teacher {comparison.teacher.name}"
    misses = [
        _miss(SERVING, comparison.teacher, policy, teacher, teacher_refusals(comparison.teacher, policy)),
        *(
            _miss(LIMITS, s, policy, f"finalist {s.number} ({s.name})", refusals(judged, s))
            for s in comparison.students
        ),
        *(_left_out(left, policy) for left in comparison.evidence.nearest if _too_expensive(left, policy)),
    ]
    return min(misses, key=lambda miss: miss.shortfall)


def smallest_fix(miss: Miss, found: Sequence[Change]) -> str:
    """The least turn of one dial that ends in a verdict; without one, what the nearest miss needs all at once."""
    fixes = [change for change in found if change.region.verdict != "none" and change.dial != "volume"]
    least = min(fixes, key=lambda change: round(change.effort, 2), default=None)  # budget before price where alike
    if least is None or (miss.untrained and miss.shortfall < least.effort):
        return miss.remedy
    return least.clause


def _miss(limits: Sequence[Limit], offer: Offer, policy: Policy, name: str, why: Sequence[str]) -> Miss:
    needs = [limit.need(offer) for limit in missed(limits, offer, policy)]
    return Miss(
        name=name,
        shortfall=sum(limit.shortfall(offer, policy) for limit in limits),
        why=fmt.listed(why),
        remedy=f"{offer.name} needs {fmt.listed(needs)}" if needs else f"{offer.name} needs nothing more",
    )


def _left_out(left: LeftOut, policy: Policy) -> Miss:
    cost = left.cost_usd_per_1k or 0.0
    budget = COST.noun.format(fmt.usd(fmt.rounded_out(cost, up=True)))
    shown, limit = fmt.usd_pair(cost, policy.max_cost)
    return Miss(
        name=left.student,
        shortfall=log(cost / policy.max_cost),
        why=f"costs {shown} per 1,000 requests, above the budget of {limit}, and was not trained",
        remedy=f"a new search with {budget} could try {left.student}",
        untrained=True,
    )


def _too_expensive(left: LeftOut, policy: Policy) -> bool:
    return left.cost_usd_per_1k is not None and not within(left.cost_usd_per_1k, policy.max_cost)
