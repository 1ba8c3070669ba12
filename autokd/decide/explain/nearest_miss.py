"""Where nothing meets the limits: what came nearest, and the smallest change that would fix it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log

from autokd.decide.comparisons import Case, Offer, Student
from autokd.decide.economics import within
from autokd.decide.explain import wording as say
from autokd.decide.explain.refusals import limits_missed, refusals
from autokd.decide.policy import Judgement, fast_enough, flips_little, knows_all, retains
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
    case, policy = judged.case, judged.policy
    misses = [_teacher(case, policy), *(_finalist(judged, student) for student in case.students)]
    misses += [_left_out(left, policy) for left in case.evidence.nearest if _dearer(left, policy)]
    return min(misses, key=lambda miss: miss.shortfall)


def smallest_fix(miss: Miss, found: Sequence[Change]) -> str:
    """The least turn of one dial that ends in a verdict; without one, what the nearest miss needs all at once."""
    fixes = [change for change in found if change.region.verdict != "none" and change.dial != "volume"]
    least = min(fixes, key=lambda change: round(change.effort, 2), default=None)  # budget before price where alike
    if least is None or (miss.untrained and miss.shortfall < least.effort):
        return miss.remedy
    condition = f"{least.condition[:1].lower()}{least.condition[1:]}"
    return f"{condition} the verdict would be {least.region.verdict}"


def _teacher(case: Case, policy: Policy) -> Miss:
    offer = case.teacher
    return Miss(
        name=f"the teacher {offer.name}",
        shortfall=_over(offer.cost.mean, policy.max_cost) + _late(offer, policy),
        why=say.listed(list(limits_missed(offer, policy))),
        remedy=_remedy(list(_needs(offer, policy)), "to keep the teacher"),
    )


def _finalist(judged: Judgement, student: Student) -> Miss:
    policy = judged.policy
    return Miss(
        name=f"finalist {student.number} ({student.name})",
        shortfall=_over(student.cost.mean, policy.max_cost) + _late(student, policy) + _short(student, policy),
        why=say.listed(list(refusals(judged, student))),
        remedy=_remedy([*_needs(student, policy), *_shortcoming_needs(student, policy)], f"for {student.name}"),
    )


def _left_out(left: LeftOut, policy: Policy) -> Miss:
    cost = left.cost_usd_per_1k or 0.0
    budget = say.usd(say.rounded_out(cost, up=True))
    shown, limit = say.usd_beside(cost, policy.max_cost)
    return Miss(
        name=left.student,
        shortfall=_over(cost, policy.max_cost),
        why=f"costs {shown} per 1,000 requests, over the budget of {limit}, and was therefore not trained",
        remedy=f"a new search with a budget of {budget} per 1,000 requests could try {left.student}",
        untrained=True,
    )


def _dearer(left: LeftOut, policy: Policy) -> bool:
    return left.cost_usd_per_1k is not None and not within(left.cost_usd_per_1k, policy.max_cost)


def _over(cost: float, budget: float) -> float:
    return 0.0 if within(cost, budget) else log(cost / budget)


def _late(offer: Offer, policy: Policy) -> float:
    if policy.max_latency_ms is None or fast_enough(offer, policy):
        return 0.0
    return inf if offer.latency_ms is None else log(offer.latency_ms / policy.max_latency_ms)


def _needs(offer: Offer, policy: Policy) -> Iterator[str]:
    if not within(offer.cost.mean, policy.max_cost):
        yield f"a budget of {say.usd(say.rounded_out(offer.cost.mean, up=True))} per 1,000 requests"
    if policy.max_latency_ms is None or fast_enough(offer, policy):
        return
    if offer.latency_ms is None:
        yield "a measured latency"
    else:
        yield f"a latency limit of {say.clean(say.rounded_out(offer.latency_ms, up=True))} ms"


def _short(student: Student, policy: Policy) -> float:
    """How far a student is from being good enough."""
    short = 0.0
    if not retains(student, policy):
        short += log(policy.min_retention / max(student.retention.low, 1e-9))
    if not flips_little(student, policy):
        short += log(student.flips.high / max(policy.max_negative_flips or 0.0, 1e-9))
    if policy.min_class_recall is not None and not knows_all(student, policy):
        short += log(policy.min_class_recall / max(student.worst.recall.low, 1e-9))
    return short


def _shortcoming_needs(student: Student, policy: Policy) -> Iterator[str]:
    if not retains(student, policy):
        yield f"a required retention of {say.clean(say.rounded_out(student.retention.low, up=False) * 100)} %"
    if not flips_little(student, policy):
        yield f"a limit of {say.clean(say.rounded_out(student.flips.high, up=True) * 100)} % on negative flips"
    if not knows_all(student, policy):
        recall = say.rounded_out(student.worst.recall.low, up=False)
        yield f"a required recall of {say.clean(recall * 100)} % in every class"


def _remedy(needs: list[str], whom: str) -> str:
    return f"it takes {say.listed(needs)} {whom}" if needs else f"nothing more is needed {whom}"
