"""Which students go on: pure functions of what the screening has seen of them.

What stays is the front of accuracy and cost, not only the most accurate: the verdict may need the cheapest student that
keeps enough. How far a student is behind the front is measured as its *shortfall*: the best accuracy that is had for
its cost or less, minus its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from autokd.records import ARMS, Arm, Candidate, Screening
from autokd.tune.space.space import Space

KEPT = 1 / 3  # share of the students that a rung keeps, about
MOST_CUTS = 3
SAME_COST = 1.1  # costs that differ by less are equal, as for the verdict
UNFINISHED = 4.0  # times (1 - min_retention) that a student may be behind at the first rung; halved at each next one
LEAST_MARGIN = 0.02


class Standing(NamedTuple):
    """A student at a rung; `accuracy` on validation."""

    student: str
    accuracy: float
    cost: float
    arms: Collection[Arm]


def rungs(students: int, wanted: int, epochs: int) -> list[tuple[int, int]]:
    """(epochs, students that stay after them) of each rung, in turn; none where nothing has to be sorted out.

    About a third stays each time; the last rung is at half the epochs, each one before at half of the next.
    """
    if students <= wanted:
        return []
    cuts = min(MOST_CUTS, max(1, round(math.log(students / wanted, 1 / KEPT))))
    share = (wanted / students) ** (1 / cuts)
    found: list[tuple[int, int]] = []
    for cut in range(1, cuts + 1):
        at = max(1, math.ceil(epochs / 2 ** (cuts + 1 - cut)))
        staying = wanted if cut == cuts else math.ceil(students * share**cut)
        if found and found[-1][0] == at:
            found.pop()
        found.append((at, staying))
    return found


def staying(standings: Sequence[Standing], wanted: int, margin: float, by_cost: bool = False) -> list[str]:
    """The students of each arm that go on, `wanted` of each, most promising first; a student of both counts for both.

    margin: how much less accurate than the best a student may be, relative; by_cost: the cheapest are wanted first.
    """
    chosen: dict[str, None] = {}
    for arm in ARMS:
        own = [standing for standing in standings if arm in standing.arms]
        chosen |= dict.fromkeys(standing.student for standing in _ranked(own, margin, by_cost)[:wanted])
    return sorted(chosen, key=best_first(standings, margin, by_cost).index)


def best_first(standings: Sequence[Standing], margin: float, by_cost: bool = False) -> list[str]:
    """All students, most promising first."""
    return [standing.student for standing in _ranked(standings, margin, by_cost)]


def spread(standings: Sequence[Standing]) -> list[str]:
    """All students, so that each first part of them lies along the range of cost: the middle, the quarters, ..."""
    ordered = [standing.student for standing in sorted(standings, key=lambda standing: standing.cost)]
    found: dict[str, None] = {}
    parts = 1
    while len(found) < len(ordered):
        parts *= 2
        found |= dict.fromkeys(ordered[i * len(ordered) // parts] for i in range(1, parts, 2))
        if parts > len(ordered):
            found |= dict.fromkeys(ordered)
    return [*found]


def margin_at(rung: int, rungs_in_all: int, min_retention: float) -> float:
    """How far behind the best a student may be at a rung, relative to it: more where trainings have hardly begun."""
    left = rungs_in_all - 1 - rung
    return max(LEAST_MARGIN, 1 - min_retention) * min(UNFINISHED, 2.0 ** (left + 1))


def _ranked(standings: Sequence[Standing], margin: float, by_cost: bool) -> list[Standing]:
    """Those within the margin, by shortfall, then by accuracy or cost; then the others by accuracy."""
    best = max((standing.accuracy for standing in standings), default=0.0)

    def key(standing: Standing) -> tuple[object, ...]:
        accuracy, cost = -standing.accuracy, standing.cost
        if standing.accuracy < best * (1 - margin):
            return True, accuracy, cost
        beaten = any(other.accuracy >= standing.accuracy and other.cost < cost for other in standings)
        first, second = (cost, accuracy) if by_cost else (accuracy, cost)
        return False, _shortfall(standing, standings), beaten, first, second

    return sorted(standings, key=key)


def _shortfall(standing: Standing, others: Sequence[Standing]) -> float:
    """Of accuracy, against all that cost no more, or hardly more."""
    return max(other.accuracy for other in others if other.cost <= SAME_COST * standing.cost) - standing.accuracy


def listed(screening: Screening, candidates: Sequence[Candidate], space: Space) -> list[str]:
    """The students whose recipes are searched: those that the space's first proposals name, then the short list."""
    known = {candidate.student for candidate in candidates}
    named = [first.student for first in space.first if first.student in known]
    return [student for student in dict.fromkeys([*named, *screening.short_list]) if student]
