"""Who can still become the pick of its arm, by what the first seeds show on validation; a pure function.

It mirrors how the verdict picks (docs/verdict.md): a finalist is out only where it is shown that another of its arm,
which is at least as sure to be worthwhile, would be picked in its place. Whatever is in doubt stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from autokd.decide.economics import cheaper, costs_differ, within
from autokd.decide.policy import HALF
from autokd.decide.statistics.intervals import accuracy, difference
from autokd.decide.statistics.seed_variance import SeedVariance, common_variance
from autokd.metrics import Correct
from autokd.records import ARMS, Arm, Interval, Policy

SURE = 0.9  # level of the intervals: each end is passed by chance in one of twenty cases


@dataclass(frozen=True, eq=False)
class Entrant:
    """A finalist within the range of ratios; `correct`, [seeds, images], says which validation images it gets right."""

    number: int
    arm: Arm
    cost: float  # dollars per 1,000 requests
    correct: Correct
    twin_of: tuple[int, ...] = ()
    trained: bool = True
    served: bool = True  # within the limits on cost and latency

    @property
    def mean(self) -> float:
        """Accuracy on validation."""
        return float(self.correct.mean())

    @property
    def known(self) -> bool:
        """Whether it tells how much seeds differ, or has none that could."""
        return not self.trained or len(self.correct) > 1


def contenders(
    entrants: Sequence[Entrant], policy: Policy, teacher_cost: float, teacher_accuracy: float
) -> frozenset[int]:
    """Numbers of the finalists that can still be their arm's pick, and of the twins of those that are distilled.

    The teacher's cost is dollars per 1,000 requests, its accuracy that on validation.
    """
    contest = _Contest(entrants, policy, teacher_cost, teacher_accuracy)
    able = {one.number for arm in ARMS for one in contest.able(arm)}
    distilled = {one.number for one in entrants if one.arm == "distill"} & able
    return frozenset(able | {one.number for one in entrants if distilled.intersection(one.twin_of)})


@dataclass(frozen=True, eq=False)
class _Contest:
    entrants: Sequence[Entrant]
    policy: Policy
    teacher_cost: float
    teacher_accuracy: float

    def able(self, arm: Arm) -> list[Entrant]:
        """Those of an arm that can be its pick; always the most accurate one."""
        own = [one for one in self.entrants if one.arm == arm]
        if not own:
            return []
        best = max(own, key=lambda one: (one.mean, -one.cost, -one.number))
        rich = [one for one in own if not self._is_poor(one)] or own
        return [one for one in own if one is best or (one in rich and not self._is_displaced(one, rich))]

    def _is_displaced(self, one: Entrant, rich: Sequence[Entrant]) -> bool:
        """Whether one of those that may keep enough would be picked in its place."""
        beaten = self._by_savings if self.policy.prefer == "savings" else self._by_accuracy
        least = min(each.cost for each in rich)
        rivals = [other for other in rich if other is not one and other.served]
        return self._decides and any(beaten(one, other, least) and not self._gives_way(other, one) for other in rivals)

    @property
    def _decides(self) -> bool:
        """Whether accuracy tells who is good enough; flips and single classes are other questions."""
        return self.policy.max_negative_flips is None and self.policy.min_class_recall is None

    def _by_accuracy(self, one: Entrant, other: Entrant, _: float) -> bool:
        return self._as_worthwhile(other, one) and self._lead(other, one).low > self.policy.min_gain

    def _by_savings(self, one: Entrant, other: Entrant, least: float) -> bool:
        """`other` costs less and keeps enough, or would be among the cheapest too and is more accurate."""
        if cheaper(other.cost, one.cost):
            return other.known and self._retention(other).low >= self._needed(other)
        near = other.cost <= one.cost or not costs_differ(other.cost, least)
        return near and self._as_worthwhile(other, one) and self._lead(other, one).low > 0

    def _as_worthwhile(self, other: Entrant, one: Entrant) -> bool:
        """Whether `other` surely pays where `one` does."""
        return other.cost <= one.cost or (self.policy.requests_per_month is None and self._half_priced(other))

    def _half_priced(self, one: Entrant) -> bool:
        return within(one.cost, HALF * self.teacher_cost)

    def _needed(self, other: Entrant) -> float:
        """The retention with which one that costs less than another pays where that does."""
        paid = self.policy.requests_per_month is not None or self._half_priced(other)
        return max(self.policy.min_retention, 0.0 if paid else 1.0)

    def _gives_way(self, other: Entrant, one: Entrant) -> bool:
        """Whether a direct finalist may be passed over for a cheaper distilled one that does not displace `one` too."""
        if other.arm == "distill":
            return False
        follows = self._lead(other, one).low > 0
        return any(
            cheaper(distilled.cost, other.cost)
            and not (follows and cheaper(distilled.cost, one.cost))
            and self._lead(distilled, other).high > 0
            for distilled in self.entrants
            if distilled.arm == "distill"
        )

    def _is_poor(self, one: Entrant) -> bool:
        """Whether it surely keeps too little of the teacher's accuracy."""
        return one.known and self._retention(one).high < self.policy.min_retention

    def _retention(self, one: Entrant) -> Interval:
        found, base = accuracy(one.correct, SURE, self._common), self.teacher_accuracy
        return Interval(mean=found.mean / base, low=found.low / base, high=found.high / base, level=SURE)

    def _lead(self, a: Entrant, b: Entrant) -> Interval:
        """Accuracy of `a` minus that of `b`; anything is possible where one of them has too few seeds."""
        if not (a.known and b.known):
            return Interval(mean=a.mean - b.mean, low=-1.0, high=1.0, level=SURE)
        return difference(a.correct, b.correct, SURE, self._common).interval

    @cached_property
    def _common(self) -> SeedVariance | None:
        return common_variance(one.correct for one in self.entrants)
