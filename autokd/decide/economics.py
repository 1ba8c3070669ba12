"""Money: what the run cost, what a cheaper model saves, and when the one has paid for the other.

Costs are dollars per 1,000 requests throughout; volumes are requests.
"""

from __future__ import annotations

from math import inf

from autokd.cost.dollars import cost_usd_per_1k
from autokd.records import CostModel, Interval, Policy, Reading

DIFFERENT = 0.10  # of the larger: costs closer than this are the same cost
_ROUNDING = 1e-9


def costs_differ(a: float, b: float) -> bool:
    """Whether two costs are at least a tenth of the larger apart."""
    return abs(a - b) >= DIFFERENT * max(a, b) * (1 - _ROUNDING) and a != b


def cheaper(a: float, b: float) -> bool:
    """Whether `a` is lower than `b` by enough to count."""
    return a < b and costs_differ(a, b)


def within(value: float, limit: float) -> bool:
    """Whether `value` is at most `limit`, last digits of floating point aside."""
    return value <= limit * (1 + _ROUNDING)


def one_time_usd(spent_usd: float, policy: Policy) -> float:
    """Dollars paid once: what the whole run spent, plus adopting another model.

    The distilled and the direct student carry the same, because the run that found either of them tried both.
    """
    return spent_usd + policy.adoption_usd


def break_even_requests(one_time: float, teacher_cost: float, student_cost: float) -> float | None:
    """Requests after which the saving has paid the one-time cost; None where the student is not cheaper."""
    saving = teacher_cost - student_cost
    return one_time / saving * 1000 if saving > 0 else None


def horizon_saving_usd(teacher_cost: float, student_cost: float, policy: Policy) -> float | None:
    """Dollars saved over the whole horizon; negative for a dearer student, None without a volume."""
    if policy.requests_per_month is None:
        return None
    return (teacher_cost - student_cost) / 1000 * policy.requests_per_month * policy.horizon_months


def monthly_usd(cost: float, requests_per_month: float | None) -> float | None:
    """Dollars a month at a volume; None without one."""
    return None if requests_per_month is None else cost * requests_per_month / 1000


def repriced(reading: Reading, old: CostModel, new: CostModel) -> Interval:
    """A reading's cost under another price, utilization or volume; its relative spread stays.

    With a capacity the formula of the fleet is asked again; without one (priced by parameters) the cost follows the
    price per parameter alone.
    """
    if reading.capacity_rps is None:
        factor = new.usd_per_1k_per_billion / old.usd_per_1k_per_billion
    else:
        before, after = cost_usd_per_1k(reading.capacity_rps, old), cost_usd_per_1k(reading.capacity_rps, new)
        factor = after / before if 0 < before < inf else 1.0
    cost = reading.cost_usd_per_1k
    return Interval(mean=cost.mean * factor, low=cost.low * factor, high=cost.high * factor)
