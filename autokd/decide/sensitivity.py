"""What would change the verdict: the rules asked again along one dial at a time.

A dial is a number of the conditions: the budget, the retention, the latency limit, the price, the utilization, the
request volume. Its range is walked in both directions from where it stands, and every boundary between two verdicts is
found by bisection. The numbers in the sentences are rounded to the far side of the boundary, and asked once more, so
that giving them does what the sentence says.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

from autokd import formatting as fmt
from autokd.decide.comparisons import Comparison
from autokd.decide.dials import VOLUMES, Dial, dials, price_dials, volume_dial
from autokd.decide.policy import Judgement, judge
from autokd.records import Policy, PriceRange, Verdict

STEPS = 64  # of a dial's walk in one direction
NEAREST = 3  # changes that a short answer names
REGIONS = 2  # in one direction; what lies beyond needs no sentence
CLOSE, SLIVER = 1e-9, 1e-3  # relative


@dataclass(frozen=True)
class Region:
    """A stretch of a dial with another verdict than today's: from `near` to `far`, or on and on where that is None."""

    near: float
    far: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Change:
    """A region of one dial, in words."""

    dial: str
    region: Region
    effort: float  # how far the dial has to be turned: the logarithm of the factor
    condition: str
    upwards: bool = False  # from today's value, or down to the region from where it was seen

    @property
    def clause(self) -> str:
        """The condition and its verdict, inside a sentence."""
        return f"{self.condition[:1].lower()}{self.condition[1:]} {fmt.CONCLUSIONS[self.region.verdict]}"

    @property
    def sentence(self) -> str:
        """The condition and its verdict."""
        return f"{self.condition}: {fmt.VERDICTS[self.region.verdict]}."


def changes(judged: Judgement) -> tuple[Change, ...]:
    """Every flip of the verdict within a sensible range of each dial, dial by dial; nearest first within one."""
    comparison, policy = judged.comparison, judged.policy
    found = [change for dial in dials(comparison, policy) for change in _turned(dial)]
    return (*found, *volume_changes(comparison, policy))


def nearest_changes(judged: Judgement, found: Sequence[Change]) -> tuple[Change, ...]:
    """The three dials that have to be turned least, each at its nearest change, and all changes along the volume.

    An unknown volume comes last.
    """
    unknown = judged.policy.requests_per_month is None
    by_effort = sorted(found, key=lambda change: (unknown and change.dial == "volume", change.effort))
    nearest = {change.dial: change for change in reversed(by_effort)}
    least = [change for change in by_effort if nearest[change.dial] is change][:NEAREST]
    return (*least, *(change for change in found if change.dial == "volume" and change not in least))


def volume_changes(comparison: Comparison, policy: Policy, admitted: Collection[int] = ()) -> Iterator[Change]:
    """Along the volume; where none was given, seen from a very large one downwards. `admitted` as for `judge`."""
    if policy.requests_per_month is not None:
        yield from _turned(volume_dial(comparison, policy, policy.requests_per_month, admitted))
        return
    today, dial = judge(comparison, policy, admitted).verdict, volume_dial(comparison, policy, VOLUMES[1], admitted)
    edges = list(_edges(dial, dial.low))
    if (top := dial.verdict(dial.current)) != today:
        edge = rounded(dial, _boundary(dial, edges[0][0], top), top, up=True) if edges else dial.low
        yield _change(dial, Region(edge, None, top), up=True)
    below = [region for region in _regions(dial, edges, up=False) if region.verdict != today]
    yield from (_change(dial, region, up=False) for region in below[:REGIONS])


def flips_within(judged: Judgement, name: str, span: PriceRange) -> tuple[Change, ...]:
    """Flips of the verdict within a range of one price: `price`, or `teacher_price`; nearest first in each direction.

    The range is taken to hold today's price.
    """
    for dial in price_dials(judged.comparison, judged.policy):
        if dial.name == name:
            low, high = min(span.low, dial.current), max(span.high, dial.current)
            return tuple(_turned(replace(dial, low=low, high=high)))
    return ()


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
    return Change(dial.name, region, abs(log(region.near / dial.current)), f"{dial.phrase(span)}{aside}", up)


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
