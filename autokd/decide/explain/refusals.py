"""Why an option is refused, in clauses that begin with a verb."""

from __future__ import annotations

from collections.abc import Iterator

from autokd import formatting as fmt
from autokd.decide.comparisons import Comparison, ServedTeacher, Student
from autokd.decide.economics import cheaper, horizon_saving_usd, one_time_usd
from autokd.decide.policy import Judgement
from autokd.decide.policy_limits import LIMITS, SERVING, missed
from autokd.records import Policy


def refusals(judged: Judgement, student: Student) -> tuple[str, ...]:
    """Why a finalist is not worthwhile."""
    if student in judged.comparison.beyond:
        low, high = judged.comparison.evidence.ratios
        return (f"is outside of the ratios of {low:g} to {high:g} that were searched, and is never picked",)
    found = [limit.refusal(student, judged.policy) for limit in missed(LIMITS, student, judged.policy)]
    if not found and student.number not in judged.worthwhile:
        found.append(_payback(judged.comparison, judged.policy, student))
    return tuple(found or _gives_way(judged, student))


def teacher_refusals(teacher: ServedTeacher, policy: Policy) -> tuple[str, ...]:
    """Why the teacher cannot be kept in a form; nothing where it can."""
    limits = SERVING if teacher.form is None else LIMITS
    return tuple(limit.refusal(teacher, policy) for limit in missed(limits, teacher, policy))


def _gives_way(judged: Judgement, student: Student) -> Iterator[str]:
    """Why a worthwhile finalist is not taken."""
    if judged.passed_over(student):
        yield "costs more than the distilled pick and is less accurate with its whole interval"
    if judged.unproven and student.arm == "distill":
        yield "is not shown to gain from distilling; that is required where the teacher can be kept"


def _payback(comparison: Comparison, policy: Policy, student: Student) -> str:
    """Why an eligible student does not pay for itself."""
    teacher, cost = comparison.teacher.cost.mean, student.cost.mean
    saving = horizon_saving_usd(teacher, cost, policy)
    if saving is not None:
        once = one_time_usd(comparison.spent_usd, policy)
        over = f"over {fmt.clean(policy.horizon_months)} months"
        if saving <= 0:
            return f"saves nothing {over}: it costs {fmt.usd(cost)} per 1,000 requests, the teacher {fmt.usd(teacher)}"
        saved, paid = fmt.usd_pair(saving, once)
        return f"saves {saved} {over}, not more than the one-time cost of {paid}"
    if not cheaper(cost, teacher):
        return f"costs {fmt.usd(cost)} per 1,000 requests, not clearly less than the teacher's {fmt.usd(teacher)}"
    return (
        f"costs {fmt.usd(cost)} per 1,000 requests, more than half of the teacher's {fmt.usd(teacher)}, and is not "
        "shown to keep all of its accuracy; no request volume is given"
    )
