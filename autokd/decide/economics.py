"""Money: what the run cost, what a cheaper model saves, and when the one has paid for the other.

Costs are dollars per 1,000 requests throughout; volumes are requests.
"""

from __future__ import annotations

from math import inf, isfinite

from autokd.cost.dollars import serving_cost
from autokd.records import CostModel, Economics, Interval, Policy, Reading, SearchSummary

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
    """Requests after which the saving has paid the one-time cost; None where the student is not cheaper.

    None, too, where the teacher cannot be served at all (its cost is infinite): the saving is unknown.
    """
    return _repaid(one_time, teacher_cost - student_cost) if student_cost < teacher_cost < inf else None


def horizon_saving_usd(teacher_cost: float, student_cost: float, policy: Policy) -> float | None:
    """Dollars saved over the whole horizon; negative for a more expensive student, None without a volume."""
    if policy.requests_per_month is None:
        return None
    return (teacher_cost - student_cost) / 1000 * policy.requests_per_month * policy.horizon_months


def economics(
    search: SearchSummary, policy: Policy, teacher: Interval, student: Interval, drift: float = 1.0
) -> Economics:
    """One-time cost by what it was paid for, and what a student saves; costs are dollars per 1,000 requests.

    The ends of the saving take teacher and student at opposite ends of their intervals, which is as far apart as they
    can be; drift: a factor by which both may be off together.
    """
    seconds = sum(search.stages.values())
    once = {name: search.usd * spent / seconds for name, spent in search.stages.items() if spent} if seconds else {}
    if policy.adoption_usd:
        once["adoption"] = policy.adoption_usd
    if not isfinite(teacher.mean):
        return Economics(
            one_time_usd=once,
            saving_usd_per_1k=None,
            saving_usd_per_month=None,
            break_even_requests=None,
            break_even_months=None,
        )
    low, high = teacher.low - student.high, teacher.high - student.low
    saving = Interval(
        mean=teacher.mean - student.mean,
        low=min(low, low * drift, low / drift),
        high=max(high, high * drift, high / drift),
    )
    total = one_time_usd(search.usd, policy)
    requests = Interval(
        mean=_repaid(total, saving.mean), low=_repaid(total, saving.high), high=_repaid(total, saving.low)
    )
    volume = policy.requests_per_month
    return Economics(
        one_time_usd=once,
        saving_usd_per_1k=saving,
        saving_usd_per_month=None if volume is None else _scaled(saving, volume / 1000),
        break_even_requests=requests,
        break_even_months=None if volume is None else _scaled(requests, 1 / volume),
    )


def _repaid(once: float, saving_per_1k: float) -> float:
    """Requests after which a saving has paid the one-time cost; infinite where there is none."""
    return once / saving_per_1k * 1000 if saving_per_1k > 0 else inf


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(mean=interval.mean * factor, low=interval.low * factor, high=interval.high * factor)


def monthly_usd(cost: float, requests_per_month: float | None) -> float | None:
    """Dollars a month at a volume; None without one."""
    return None if requests_per_month is None else cost * requests_per_month / 1000


def repriced(reading: Reading, old: CostModel, new: CostModel) -> Interval:
    """A reading's cost under another price, utilization, volume or way of billing; the teacher's under `for_teacher`.

    With a capacity the formula is asked again, at its mean and both ends; without one (priced by parameters) the cost
    follows the price per parameter alone.
    """
    if reading.capacity_interval is None:
        return _scaled(reading.cost_usd_per_1k, new.usd_per_1k_per_billion / old.usd_per_1k_per_billion)
    return serving_cost(reading.capacity_interval, reading.alone_seconds, new)
