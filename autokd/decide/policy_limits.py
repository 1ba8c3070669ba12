"""The limits of the policy, one record each: the value that was asked for, what it is compared with, and its words.

The rules, the refusals, the nearest miss, what would change the verdict, the weaknesses and the page all go through
these records. A new limit is a field of Policy, an option of SearchConfig, and a record here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log
from typing import Any

from autokd import formatting as fmt
from autokd.decide.class_recall import FEWEST
from autokd.decide.comparisons import Offer, Student, Tested
from autokd.decide.economics import within
from autokd.decide.explain import wording as say
from autokd.decide.statistics.intervals import Estimate
from autokd.records import ClassRecall, Interval, Policy

ROUNDING = 1e-9  # last digits of floating point, which decide nothing
TINY = 1e-9  # stands for 0 where a factor is formed


@dataclass(frozen=True)
class Limit:
    """One limit. `{}` in a phrase is its value.

    An interval is compared by its unfavourable end, so that a limit is met only where that is shown; a quantity that is
    `exact` is compared by its mean.
    """

    field: str  # of Policy; None there: no limit was asked for
    term: str  # as the page lists it
    noun: str  # "a budget of {}"
    bare: str  # "{} per 1,000 requests": the value with its unit
    demand: str  # "cost at most {}": what an option has to do
    did: Callable[[Any, str], str]  # what an option does, in a clause that begins with a verb; given the quantity
    of: Callable[[Any], Interval | None]  # the measured quantity of an option; None: not measured
    value: Callable[[float], str]  # without losing a digit
    pair: Callable[[float, float], tuple[str, str]]  # a quantity and the limit, told apart
    at_most: bool
    exact: bool = False
    name: str = "limit"
    detail: Callable[[Any], str] = lambda _: ""  # what the interval rests on
    estimate: Callable[[Any], Estimate | None] = lambda _: None  # tells how much evidence is needed
    reach: Callable[[float], tuple[float, float]] = lambda limit: (min(0.001, limit), 1.0)  # sensible values
    hopeless: Callable[[Any, float], str | None] = lambda option, limit: None  # noqa: ARG005 - what else rules it out

    def asked(self, policy: Policy) -> float | None:
        """The value of the limit; None where there is none."""
        value: float | None = getattr(policy, self.field)
        return value

    def is_met(self, offer: Offer, policy: Policy) -> bool:
        """Whether an option is shown to meet the limit."""
        if (limit := self.asked(policy)) is None:
            return True
        found = self.of(offer)
        return found is not None and self._holds(self._end(found), limit)

    def could_be_met(self, offer: Offer, policy: Policy) -> bool:
        """Whether the interval does not rule out that an option meets the limit."""
        if (limit := self.asked(policy)) is None:
            return True
        found = self.of(offer)
        if found is None or self.hopeless(offer, limit):
            return False
        return found.low <= limit if self.at_most else found.high >= limit

    def shortfall(self, offer: Offer, policy: Policy) -> float:
        """The logarithm of the factor by which the limit is missed; 0 where it is met, infinite where unmeasured."""
        limit, found = self.asked(policy), self.of(offer)
        if limit is None or self.is_met(offer, policy):
            return 0.0
        if found is None:
            return inf
        value, wanted = max(self._end(found), TINY), max(limit, TINY)
        return log(value / wanted) if self.at_most else log(wanted / value)

    def need(self, offer: Offer) -> str:
        """The limit that this option would meet: "a budget of $0.02 per 1,000 requests"."""
        found = self.of(offer)
        if found is None:
            return f"a measurement of the {self.term.lower()}"
        return self.noun.format(self.value(fmt.rounded_out(self._end(found), up=self.at_most)))

    def open_demand(self, student: Student, policy: Policy) -> str:
        """What a student would have to be shown to do, with the interval that leaves it open."""
        value, found = self.asked(policy), self.of(student)
        assert value is not None and found is not None  # noqa: S101 - it is not met
        return f"{self.demand.format(self.value(value))} ({say.percent_range(found)}{self.detail(student)})"

    def refusal(self, offer: Offer, policy: Policy) -> str:
        """Why the limit is not met, in a clause that begins with a verb."""
        limit, found = self.asked(policy), self.of(offer)
        if limit is None or found is None:
            return f"is not shown to {self.demand.format(self.value(limit or 0.0))}: that was not measured"
        if other := self.hopeless(offer, limit):
            return other
        shown, wanted = self.pair(self._end(found), limit)
        did = self.did(offer, shown)
        if not isfinite(self._end(found)):
            return did
        if self.exact:
            return f"{did}, above the {self.name} of {wanted}"
        if not self.could_be_met(offer, policy):
            return f"{did}, with the whole interval {'above' if self.at_most else 'below'} {wanted}"
        side, end = ("or less", "ends") if self.at_most else ("or more", "begins")
        return f"{did}, not shown to be {wanted} {side} (the interval {end} at {shown}{self.detail(offer)})"

    def _end(self, found: Interval) -> float:
        if self.exact:
            return found.mean
        return found.high if self.at_most else found.low

    def _holds(self, value: float, limit: float) -> bool:
        if self.exact:
            return within(value, limit)
        return value <= limit + ROUNDING if self.at_most else value >= limit - ROUNDING


def _percent(value: float) -> str:
    return f"{fmt.clean(value * 100)} %"


def _costs(offer: Offer, shown: str) -> str:
    if isfinite(offer.cost.mean):
        return f"costs {shown} per 1,000 requests"
    return "cannot be served here within the latency limit that its cost was measured for"


def _latency(offer: Offer) -> Interval | None:
    p95 = offer.latency_ms
    return None if p95 is None else Interval(mean=p95, low=p95, high=p95)


def _images(student: Student) -> str:
    count = student.worst.images
    return (
        f", from {count:,} test image{'' if count == 1 else 's'}" if count >= FEWEST else ", from too few test images"
    )


def _hopeless_class(student: Student, limit: float) -> str | None:
    """Of the class whose recall can be high least, where it is another one than the one that shows least."""
    lowest = student.lowest
    if lowest.recall.high >= limit or lowest.name == student.worst.name:
        return None
    return f"{_recognises(lowest)}, with the whole interval below {fmt.percent_pair(lowest.recall.high, limit)[1]}"


def _recognises(found: ClassRecall) -> str:
    return f"recognises {fmt.percent(found.recall.mean)} of class {found.name}"


COST = Limit(
    field="max_cost",
    term="Budget",
    noun="a budget of {} per 1,000 requests",
    bare="{} per 1,000 requests",
    demand="cost at most {} per 1,000 requests",
    did=_costs,
    of=lambda offer: offer.cost,
    value=fmt.usd_exact,
    pair=fmt.usd_pair,
    at_most=True,
    exact=True,
    name="budget",
    reach=lambda limit: (limit / 1000, limit * 1000),
)
LATENCY = Limit(
    field="max_latency_ms",
    term="Latency limit (p95)",
    noun="a p95 latency limit of {}",
    bare="{}",
    demand="answer within {} (p95)",
    did=lambda _, shown: f"has a p95 latency of {shown} ms",
    of=_latency,
    value=lambda value: f"{fmt.clean(value)} ms",
    pair=lambda value, limit: (fmt.number_pair(value, limit)[0], f"{fmt.clean(limit)} ms"),
    at_most=True,
    exact=True,
    reach=lambda limit: (limit / 100, limit * 100),
)
RETENTION = Limit(
    field="min_retention",
    term="Required retention",
    noun="a required retention of {}",
    bare="{}",
    demand="keep {} of the teacher's accuracy",
    did=lambda student, _: f"keeps {fmt.percent(student.retention.mean)} of the teacher's accuracy",
    of=lambda student: student.retention,
    value=_percent,
    pair=fmt.percent_pair,
    at_most=False,
    estimate=lambda student: student.estimate,
    reach=lambda limit: (min(0.5, limit), max(1.1, limit)),
)
FLIPS = Limit(
    field="max_negative_flips",
    term="Limit on negative flips",
    noun="a limit of {} on negative flips",
    bare="{}",
    demand="get at most {} of the test images wrong that the teacher gets right",
    did=lambda student, _: (
        f"gets {fmt.percent(student.flips.mean)} of the test images wrong that the teacher gets right"
    ),
    of=lambda student: student.flips,
    value=_percent,
    pair=fmt.percent_pair,
    at_most=True,
)
RECALL = Limit(
    field="min_class_recall",
    term="Required recall of every class",
    noun="a required recall of {} in every class",
    bare="{}",
    demand="recognise {} of every class",
    did=lambda student, _: _recognises(student.worst),
    of=lambda student: student.worst.recall,
    value=_percent,
    pair=fmt.percent_pair,
    at_most=False,
    detail=_images,
    hopeless=_hopeless_class,
)
SERVING = (COST, LATENCY)  # of teacher and students
QUALITY = (RETENTION, FLIPS, RECALL)  # of students
LIMITS = (*SERVING, *QUALITY)


def affordable(offer: Offer, policy: Policy) -> bool:
    """Whether cost and latency are within their limits."""
    return not missed(SERVING, offer, policy)


def good_enough(option: Tested, policy: Policy) -> bool:
    """Whether an option is shown to be good enough: in accuracy, and in whatever else was given a limit."""
    return not missed(QUALITY, option, policy)


def could_be_good_enough(student: Student, policy: Policy) -> bool:
    """Whether no interval rules out that the student is good enough."""
    return all(limit.could_be_met(student, policy) for limit in QUALITY)


def missed(limits: Sequence[Limit], offer: Offer, policy: Policy) -> list[Limit]:
    """The limits that an option is not shown to meet."""
    return [limit for limit in limits if not limit.is_met(offer, policy)]
