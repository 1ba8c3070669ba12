"""What would change the verdict: the rules asked again along one dial at a time.

A dial is a number of the conditions: the budget, the retention, the latency limit, the price, the utilization, the
request volume. Its range is walked in both directions from where it stands, and every boundary between two verdicts is
found by bisection. The numbers in the sentences are rounded to the far side of the boundary, and asked once more, so
that giving them does what the sentence says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Any

from autokd import formatting as fmt
from autokd.cost.dollars import unrounded_replicas
from autokd.decide.comparisons import Comparison
from autokd.decide.policy import Judgement, judge
from autokd.decide.policy_limits import COST, LIMITS, Limit
from autokd.records import CostModel, Policy, PriceRange, Record, Verdict

STEPS = 64  # of a dial's walk in one direction
NEAREST = 3  # changes that a short answer names
REGIONS = 2  # in one direction; what lies beyond needs no sentence
VOLUMES = (1.0, 1e11)  # requests a month
REPLICAS = range(1, 65)  # of one model, at whose coming a walk looks; beyond, one more changes a cost by less than 2 %
CLOSE, SLIVER = 1e-9, 1e-3  # relative


@dataclass(frozen=True)
class Region:
    """A stretch of a dial with another verdict than today's: from `near` to `far`, or on and on where that is None."""

    near: float
    far: float | None
    verdict: Verdict


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


@dataclass(frozen=True)
class Change:
    """A region of one dial, in words."""

    dial: str
    region: Region
    effort: float  # how far the dial has to be turned: the logarithm of the factor
    condition: str

    @property
    def clause(self) -> str:
        """The condition and its verdict, inside a sentence."""
        return f"{self.condition[:1].lower()}{self.condition[1:]} the verdict is {self.region.verdict}"

    @property
    def sentence(self) -> str:
        """The condition and its verdict."""
        return f"{self.condition}: {fmt.VERDICTS[self.region.verdict]}."


def changes(judged: Judgement) -> tuple[Change, ...]:
    """Every flip of the verdict within a sensible range of each dial, dial by dial; nearest first within one."""
    comparison, policy = judged.comparison, judged.policy
    found = [change for dial in _dials(comparison, policy) for change in _turned(dial)]
    return (*found, *volume_changes(comparison, policy))


def nearest_changes(judged: Judgement, found: Sequence[Change]) -> tuple[Change, ...]:
    """The three dials that have to be turned least, each at its nearest change; an unknown volume comes last."""
    unknown = judged.policy.requests_per_month is None
    by_effort = sorted(found, key=lambda change: (unknown and change.dial == "volume", change.effort))
    nearest = {change.dial: change for change in reversed(by_effort)}
    return tuple(change for change in by_effort if nearest[change.dial] is change)[:NEAREST]


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


# ---- the dials -------------------------------------------------------------------------------------------------


def _dials(comparison: Comparison, policy: Policy) -> Iterator[Dial]:
    for limit in LIMITS:
        if current := limit.asked(policy):
            yield _limit(comparison, policy, limit, current)
    yield from _prices(comparison, policy)
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


def _prices(comparison: Comparison, policy: Policy) -> Iterator[Dial]:
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


def flips_within(judged: Judgement, name: str, span: PriceRange) -> tuple[Change, ...]:
    """Flips of the verdict within a range of one price: `price`, or `teacher_price`; nearest first in each direction.

    The range is taken to hold today's price.
    """
    for dial in _prices(judged.comparison, judged.policy):
        if dial.name == name:
            low, high = min(span.low, dial.current), max(span.high, dial.current)
            return tuple(_turned(replace(dial, low=low, high=high)))
    return ()


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


def _volume(comparison: Comparison, policy: Policy, current: float, admitted: Collection[int]) -> Dial:
    billed = " (whole replicas)" if _fleet(comparison, policy) else ""
    for_one = comparison.evidence.cost_model.model_copy(update={"requests_per_month": 1.0})
    return Dial(
        name="volume",
        current=current,
        low=min(VOLUMES[0], current),
        high=max(VOLUMES[1], current),
        verdict=lambda volume: at_volume(comparison, policy, volume, admitted).verdict,
        breaks=tuple(k / size for size in _sizes(comparison, for_one) for k in REPLICAS) if billed else (),
        phrase=lambda value: f"With {value} requests a month{billed}",
        value=fmt.short_count,
        less="fewer",
    )


def _sizes(comparison: Comparison, model: CostModel) -> list[float]:
    """Replicas, not rounded, that each model needs; none where there is no volume."""
    capacities = {offer.reading.capacity_rps for offer in (comparison.teacher, *comparison.students)}
    return [unrounded_replicas(rps, model) for rps in capacities if rps] if model.requests_per_month else []


def volume_changes(comparison: Comparison, policy: Policy, admitted: Collection[int] = ()) -> Iterator[Change]:
    """Along the volume; where none was given, seen from a very large one downwards. `admitted` as for `judge`."""
    if policy.requests_per_month is not None:
        yield from _turned(_volume(comparison, policy, policy.requests_per_month, admitted))
        return
    today, dial = judge(comparison, policy, admitted).verdict, _volume(comparison, policy, VOLUMES[1], admitted)
    edges = list(_edges(dial, dial.low))
    if (top := dial.verdict(dial.current)) != today:
        edge = rounded(dial, _boundary(dial, edges[0][0], top), top, up=True) if edges else dial.low
        yield _change(dial, Region(edge, None, top), up=True)
    below = [region for region in _regions(dial, edges, up=False) if region.verdict != today]
    yield from (_change(dial, region, up=False) for region in below[:REGIONS])


# ---- the walk along a dial -------------------------------------------------------------------------------------


def _turned(dial: Dial) -> Iterator[Change]:
    """The nearest regions with another verdict than today's, downwards and then upwards."""
    today = dial.verdict(dial.current)
    for up in (False, True):
        regions = _regions(dial, list(_edges(dial, dial.high if up else dial.low)), up=up)
        others = [region for region in regions if region.verdict != today]
        yield from (_change(dial, region, up=up) for region in others[:REGIONS])


def _change(dial: Dial, region: Region, *, up: bool) -> Change:
    if region.far is None:
        span = f"{dial.value(region.near)} or {'more' if up else dial.less}"
    elif (near := dial.value(region.near)) == (far := dial.value(region.far)):
        span = near
    else:
        span = " to ".join((near, far) if up else (far, near))
    aside = dial.aside if up else ""
    return Change(dial.name, region, abs(log(region.near / dial.current)), f"{dial.phrase(span)}{aside}")


def _regions(dial: Dial, edges: list[tuple[float, Verdict]], *, up: bool) -> Iterator[Region]:
    """The stretches between edges, nearest first, their ends rounded inwards; slivers are left out."""
    for i, (edge, verdict) in enumerate(edges):
        far = None
        if i + 1 < len(edges) and abs(log(edges[i + 1][0] / edge)) < SLIVER:
            continue
        if i + 1 < len(edges):
            far = rounded(dial, _boundary(dial, edges[i + 1][0], verdict), verdict, up=not up)
        yield Region(rounded(dial, edge, verdict, up=up), far, verdict)


def _edges(dial: Dial, end: float) -> Iterator[tuple[float, Verdict]]:
    """Values just past every boundary on the way to `end`, each with the verdict there."""
    at, verdict = dial.current, dial.verdict(dial.current)
    for ahead in _stops(dial, end):
        while dial.verdict(ahead) != verdict:
            at = _crossing(dial, at, ahead, verdict)
            verdict = dial.verdict(at)
            yield at, verdict
        at = ahead


def _stops(dial: Dial, end: float) -> list[float]:
    """Where the walk to `end` looks: even steps, and both sides of every break."""
    ratio = (end / dial.current) ** (1 / STEPS)
    steps = [dial.current * ratio**step for step in range(1, STEPS)]
    sides = [at * side for at in dial.breaks for side in (1 - CLOSE, 1 + CLOSE)]
    low, high = sorted((dial.current, end))
    return [*sorted((at for at in (*steps, *sides) if low < at < high), reverse=end < dial.current), end]


def _crossing(dial: Dial, before: float, after: float, verdict: Verdict) -> float:
    """The first value found at which the verdict is no longer `verdict`, to 44 binary digits of the way."""
    fine = 1 << 44

    def at(step: int) -> float:
        return after if step == fine else float(before * (after / before) ** (step / fine))

    return at(bisect_left(range(fine), True, key=lambda step: dial.verdict(at(step)) != verdict))


def _boundary(dial: Dial, edge: float, verdict: Verdict) -> float:
    """The value on the near side of an edge: the same, save for the last digits, with the verdict before it."""
    sides = (edge * (1 - 1e-9), edge * (1 + 1e-9))
    return next((side for side in sides if dial.verdict(side) == verdict), edge)


def rounded(dial: Dial, value: float, verdict: Verdict, *, up: bool) -> float:
    """The shortest number on the far side of `value` that still has its verdict."""
    for digits in range(3, 10):
        candidate = fmt.rounded_out(value, up=up, digits=digits)
        if dial.low <= candidate <= dial.high and dial.verdict(candidate) == verdict:
            return candidate
    return value
