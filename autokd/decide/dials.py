"""The dials that sensitivity turns: numbers of the conditions, with what the verdict would be at any value of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from autokd import formatting as fmt
from autokd.cost.dollars import unrounded_replicas
from autokd.decide.comparisons import Comparison
from autokd.decide.policy import Judgement, judge
from autokd.decide.policy_limits import COST, LIMITS, Limit
from autokd.records import CostModel, Policy, Record, Verdict

VOLUMES = (1.0, 1e11)  # requests a month
WHOLE_REPLICAS = " (whole replicas)"
REPLICAS = range(1, 65)  # of one model, at whose coming a walk looks; beyond, one more changes a cost by less than 2 %


@dataclass(frozen=True)
class Dial:
    """One number of the conditions, with what the verdict would be at any value of it."""

    name: str
    current: float
    low: float
    high: float
    verdict: Callable[[float], Verdict]
    phrase: Callable[[str], str]  # a value, or a range of values, in words
    value: Callable[[float], str]
    breaks: tuple[float, ...] = ()  # values at which a fleet gains or loses a replica
    less: str = "less"
    aside: str = ""  # what to know about values above the current one


def dials(comparison: Comparison, policy: Policy) -> Iterator[Dial]:
    """All of them, the volume aside."""
    for limit in LIMITS:
        if current := limit.asked(policy):
            yield _limit(comparison, policy, limit, current)
    yield from price_dials(comparison, policy)
    if comparison.evidence.cost_model.has_load:
        yield _utilization(comparison, policy)


def _asked(comparison: Comparison, policy: Policy, field: str) -> Callable[[float], Verdict]:
    return lambda value: judge(comparison, policy.model_copy(update={field: value})).verdict


def _priced(comparison: Comparison, policy: Policy, field: str) -> Callable[[float], Verdict]:
    model = comparison.evidence.cost_model
    return lambda value: judge(comparison.priced(model.model_copy(update={field: value})), policy).verdict


def _limit(comparison: Comparison, policy: Policy, limit: Limit, current: float) -> Dial:
    low, high = limit.reach(current)
    tried = comparison.evidence.budget if limit is COST else None
    return Dial(
        name=limit.name if limit is COST else limit.field,
        current=current,
        low=low,
        high=high,
        verdict=_asked(comparison, policy, limit.field),
        phrase=lambda value: f"With {limit.noun.format(value)}",
        value=limit.value,
        aside="" if tried is None else f" (the search tried no student above {fmt.usd(tried)})",
    )


def price_dials(comparison: Comparison, policy: Policy) -> Iterator[Dial]:
    """The price that costs follow; two of them where the teacher has its own."""
    model = comparison.evidence.cost_model
    if model.model == "params":
        unit, setting = "per 1,000 requests and billion parameters", "usd_per_1k_per_billion"
        yield _price(comparison, policy, model.usd_per_1k_per_billion, unit, lambda usd: {setting: usd})
    elif (rate := model.pay_per_use) is not None:
        per_second = _updates("pay_per_use", rate, "usd_per_second")
        yield _price(comparison, policy, rate.usd_per_second, "a second of serving", per_second)
    else:
        own = model.teacher_price
        unit = "an hour of serving" if own is None else "an hour of serving a student"
        yield _price(comparison, policy, model.price_usd_per_hour, unit, lambda usd: {"price_usd_per_hour": usd})
        if own is not None:
            per_hour = _updates("teacher_price", own, "price_usd_per_hour")
            unit = "an hour of serving the teacher"
            yield _price(comparison, policy, own.price_usd_per_hour, unit, per_hour, "teacher_price")


def _updates(field: str, part: Record, name: str) -> Callable[[float], dict[str, Any]]:
    """Changes of a cost model that replace one number of a part of it."""
    return lambda value: {field: part.model_copy(update={name: value})}


def _price(
    comparison: Comparison,
    policy: Policy,
    current: float,
    unit: str,
    update: Callable[[float], dict[str, Any]],
    name: str = "price",
) -> Dial:
    model = comparison.evidence.cost_model
    return Dial(
        name=name,
        current=current,
        low=current / 100,
        high=current * 100,
        verdict=lambda value: judge(comparison.priced(model.model_copy(update=update(value))), policy).verdict,
        phrase=lambda value: f"At a price of {value} {unit} instead of {fmt.usd(current)}",
        value=fmt.usd_exact,
    )


def _utilization(comparison: Comparison, policy: Policy) -> Dial:
    model = comparison.evidence.cost_model
    field = "utilization" if model.requests_per_month is None else "target_utilization"
    current, name = float(getattr(model, field)), field.replace("_", " ")
    return Dial(
        name="utilization",
        current=current,
        low=min(0.01, current),
        high=1.0,
        verdict=_priced(comparison, policy, field),
        breaks=tuple(current * size / k for size in _sizes(comparison, model) for k in REPLICAS),
        phrase=lambda value: f"At a {name} of {value} instead of {fmt.clean(current * 100)} %",
        value=lambda value: f"{fmt.clean(value * 100)} %",
    )


def volume_dial(comparison: Comparison, policy: Policy, current: float, admitted: Collection[int]) -> Dial:
    billed = WHOLE_REPLICAS if _fleet(comparison, policy) else ""
    for_one = comparison.evidence.cost_model.model_copy(update={"requests_per_month": 1.0})
    return Dial(
        name="volume",
        current=current,
        low=min(VOLUMES[0], current),
        high=max(VOLUMES[1], current),
        verdict=lambda volume: at_volume(comparison, policy, volume, admitted).verdict,
        breaks=tuple(k / size for size in _sizes(comparison, for_one) for k in REPLICAS) if billed else (),
        phrase=lambda value: volume_phrase(value, billed),
        value=fmt.short_count,
        less="fewer",
    )


def volume_phrase(value: str, billed: str = "") -> str:
    """A volume in words; billed: how, where that has to be said."""
    return f"With {value} requests a month{billed}"


def _sizes(comparison: Comparison, model: CostModel) -> list[float]:
    """Replicas, not rounded, that each model needs; none where there is no volume."""
    capacities = {offer.reading.capacity_rps for offer in (comparison.teacher, *comparison.students)}
    return [unrounded_replicas(rps, model) for rps in capacities if rps] if model.requests_per_month else []


def at_volume(comparison: Comparison, policy: Policy, volume: float, admitted: Collection[int] = ()) -> Judgement:
    """The verdict at so many requests a month, billed as a fleet is where costs can be; `admitted` as for `judge`."""
    model = comparison.evidence.cost_model
    known = policy.model_copy(update={"requests_per_month": volume})
    billed = (
        comparison.priced(model.model_copy(update={"requests_per_month": volume}))
        if _fleet(comparison, policy)
        else comparison
    )
    return judge(billed, known, admitted)


def _fleet(comparison: Comparison, policy: Policy) -> bool:
    """Whether a volume is billed by whole replicas."""
    model = comparison.evidence.cost_model
    return model.has_load and (policy.requests_per_month is None or model.requests_per_month is not None)
