"""Why an option is refused, in clauses that begin with a verb."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from autokd.decide.class_recall import FEWEST
from autokd.decide.comparisons import Case, Offer, Student
from autokd.decide.economics import cheaper, horizon_saving_usd, one_time_usd, within
from autokd.decide.explain import wording as say
from autokd.decide.policy import Judgement, fast_enough, flips_little, knows_all, retains
from autokd.records import Policy


def refusals(judged: Judgement, student: Student) -> tuple[str, ...]:
    """Why a finalist is not worthwhile."""
    if student in judged.case.beyond:
        low, high = judged.case.evidence.ratios
        return (
            f"was trained to look beyond the ratios of {low:g} to {high:g} that were searched, and is never picked",
        )
    found = [*limits_missed(student, judged.policy), *_shortcomings(student, judged.policy)]
    if not found and student.number not in judged.worthwhile:
        found.append(_payback(judged.case, judged.policy, student))
    return tuple(found or _gives_way(judged, student))


def _gives_way(judged: Judgement, student: Student) -> Iterator[str]:
    """Why a finalist that is worth its money is not taken all the same."""
    if judged.passed_over(student):
        yield "is dearer than the distilled pick and less accurate with its whole interval"
    if judged.unproven and student.arm == "distill":
        yield "is not shown to gain by distilling, which it has to where the teacher can be kept"


def limits_missed(offer: Offer, policy: Policy) -> Iterator[str]:
    """The limits on cost and latency that an option does not meet."""
    if not isfinite(offer.cost.mean):
        yield "cannot be served here within the latency limit that its cost was measured for"
    elif not within(offer.cost.mean, policy.max_cost):
        cost, limit = say.usd_beside(offer.cost.mean, policy.max_cost)
        yield f"costs {cost} per 1,000 requests, over the budget of {limit}"
    if policy.max_latency_ms is None or fast_enough(offer, policy):
        return
    if offer.latency_ms is None:
        yield f"has no measured latency, so it is not shown to be within {say.clean(policy.max_latency_ms)} ms"
    else:
        latency, limit = say.beside(offer.latency_ms, policy.max_latency_ms)
        yield f"has a p95 latency of {latency} ms, over the limit of {limit} ms"


def _shortcomings(student: Student, policy: Policy) -> Iterator[str]:
    """Where a student is not shown to be good enough."""
    yield from _retention(student, policy)
    if policy.max_negative_flips is not None and not flips_little(student, policy):
        share, limit = say.percent_beside(student.flips.high, policy.max_negative_flips)
        yield (
            f"gets {say.percent(student.flips.mean)} of the test images wrong that the teacher gets right, which is "
            f"not shown to be {limit} or less (the interval ends at {share})"
        )
    if policy.min_class_recall is not None and not knows_all(student, policy):
        worst = student.worst
        if worst.images < FEWEST:
            yield (
                f"is not shown to recognise {say.percent(policy.min_class_recall)} of class {worst.name}, which has "
                f"{worst.images or 'no'} test image"
            )
            return
        share, limit = say.percent_beside(worst.recall.low, policy.min_class_recall)
        yield (
            f"recognises {say.percent(worst.recall.mean)} of class {worst.name}, which is not shown to be {limit} or "
            f"more (the interval begins at {share}, from {worst.images:,} test images)"
        )


def _retention(student: Student, policy: Policy) -> Iterator[str]:
    if retains(student, policy):
        return
    kept = f"keeps {say.percent(student.retention.mean)} of the teacher's accuracy"
    low, limit = say.percent_beside(student.retention.low, policy.min_retention)
    if student.retention.high < policy.min_retention:
        yield f"{kept}, with the whole interval below {limit}"
    else:
        yield f"{kept}, which is not shown to be {limit} or more (the interval begins at {low})"


def _payback(case: Case, policy: Policy, student: Student) -> str:
    """Why an eligible student does not pay beside the teacher."""
    teacher, cost = case.teacher.cost.mean, student.cost.mean
    saving = horizon_saving_usd(teacher, cost, policy)
    if saving is not None:
        once = one_time_usd(case.spent_usd, policy)
        over = f"over {say.clean(policy.horizon_months)} months"
        if saving <= 0:
            return f"saves nothing {over}: it costs {say.usd(cost)} per 1,000 requests, the teacher {say.usd(teacher)}"
        saved, paid = say.usd_beside(saving, once)
        return f"saves {saved} {over}, not more than the one-time cost of {paid}"
    if not cheaper(cost, teacher):
        return f"costs {say.usd(cost)} per 1,000 requests, not clearly less than the teacher's {say.usd(teacher)}"
    return (
        f"costs {say.usd(cost)} per 1,000 requests, more than half of the teacher's {say.usd(teacher)}, "
        "without being shown to keep all of its accuracy, and no request volume is given"
    )
