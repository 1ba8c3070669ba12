"""What is done in the time there is: pure functions of how long each part takes.

What is worth least is left out first: students beyond the range of ratios, further seeds, trainings beyond picks and
twins, further picks, trials beyond one of each student; then half of the screening, all trials but two of each arm, and
the rest of both. Two seeds of each arm's best pick and of the distilled one's twin come before all else: without these
there is no verdict with evidence. Epochs are never changed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autokd.tune.finalists import Finalist, most_trainings
from autokd.tune.seed_plan import Plan

LEAST_SEEDS = 2
_BEYOND_PICKS = {"default": 1_000, "longer": 1_001, "published": 0, "edge": 1_002}  # ranks by role
_BEYOND_RANGE = _BEYOND_PICKS["edge"]


def makespan(seconds: Iterable[float], workers: int = 1, busy: Sequence[float] = ()) -> float:
    """When the last of these trainings ends, each begun in turn by the worker that is free first.

    busy: what is left of the trainings that run.
    """
    free = [*sorted(busy)[:workers], *[0.0] * (workers - len(busy))]
    heapq.heapify(free)
    for each in seconds:
        heapq.heapreplace(free, free[0] + each)
    return max(free)


# ---- before the search: how much of each stage -------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """What a search is asked for, and how long its parts take by the clock."""

    screening: float  # seconds of all of it
    trials: int
    least_trials: int  # one of each arm and short-listed student
    arms: int
    finalists: int  # picks of each arm
    seeds: int
    edges: int
    training: float  # seconds of one with all epochs
    workers: int = 1


class TimePlan(NamedTuple):
    """How much of it is planned; `seconds` by the clock."""

    screening: float  # share of it
    trials: int
    finalists: int
    seeds: int
    extras: bool  # defaults, longer trainings and edges
    seconds: float


def plan_time(left: float, work: Work) -> TimePlan:
    """The first that fits into the seconds that are left, from all down to the least; the least if none does."""
    plan = None
    for plan in _smaller(work):
        if plan.seconds <= left:
            break
    assert plan is not None  # noqa: S101
    return plan


def least(work: Work) -> TimePlan:
    """One trial and one pick of each arm, two seeds."""
    return [*_smaller(work)][-1]


def _smaller(work: Work) -> Iterator[TimePlan]:
    """Ever smaller plans, each without what is then worth least."""

    def plan(screening: float, trials: int, finalists: int, seeds: int, extras: bool, edges: int = 0) -> TimePlan:
        count = _trainings(work, finalists, seeds, extras, edges)
        trainings = makespan([work.training] * trials, work.workers) + makespan([work.training] * count, work.workers)
        return TimePlan(screening, trials, finalists, seeds, extras, screening * work.screening + trainings)

    yield plan(1.0, work.trials, work.finalists, work.seeds, True, work.edges)
    yield (now := plan(1.0, work.trials, work.finalists, work.seeds, True))
    while now.seeds > LEAST_SEEDS:
        yield (now := plan(1.0, now.trials, now.finalists, now.seeds - 1, True))
    yield (now := plan(1.0, now.trials, now.finalists, now.seeds, False))
    while now.finalists > 1:
        yield (now := plan(1.0, now.trials, now.finalists - 1, now.seeds, False))
    for screening, trials in ((1.0, work.least_trials), (0.5, 2 * work.arms), (0.0, work.arms)):
        while work.screening and now.screening > screening:
            yield (now := plan(round(now.screening - 0.1, 1), now.trials, 1, now.seeds, False))
        while now.trials - work.arms >= max(trials, work.arms):
            yield (now := plan(now.screening, now.trials - work.arms, 1, now.seeds, False))


def _trainings(work: Work, finalists: int, seeds: int, extras: bool, edges: int) -> int:
    """Of the confirmation: of two arms a distilled pick, its twin and a direct pick each."""
    if extras and work.arms > 1:
        return most_trainings(finalists, seeds, edges)
    return (2 * work.arms - 1) * finalists * seeds


# ---- in the confirmation: which trainings ------------------------------------------------------------------------


class Training(NamedTuple):
    """A finalist's number and a seed."""

    finalist: int
    seed: int


@dataclass(frozen=True)
class Confirmation:
    """All trainings of a confirmation, by their worth; `plan` has the seeds of each finalist."""

    finalists: Sequence[Finalist]
    plan: Plan

    def groups(self) -> list[list[Training]]:
        """In the order of their worth; a group in part is worth nothing more than without it.

        The first seeds of all finalists, further seeds of picks and twins, those of the others, then what is beyond the
        range of ratios.
        """
        ranks = _ranks(self.finalists)
        within = sorted({rank for rank in ranks.values() if rank < _BEYOND_RANGE})
        picks = [rank for rank in within if rank < _BEYOND_PICKS["default"]]
        others = [rank for rank in within if rank >= _BEYOND_PICKS["default"]]
        further = range(LEAST_SEEDS, max(map(len, self.plan.values()), default=0))
        steps = [(rank, range(LEAST_SEEDS)) for rank in within]
        steps += [(rank, range(i, i + 1)) for i in further for rank in picks]
        steps += [(rank, range(i, i + 1)) for rank in others for i in further]
        steps += [(_BEYOND_RANGE, places) for places in (range(LEAST_SEEDS), *(range(i, i + 1) for i in further))]
        found = [self._of(places, [n for n in ranks if ranks[n] == rank]) for rank, places in steps]
        return [group for group in found if group]

    def _of(self, places: range, numbers: Sequence[int]) -> list[Training]:
        seeds = {n: self.plan.get(n, ()) for n in numbers}
        return [Training(n, seeds[n][i]) for i in places for n in numbers if i < len(seeds[n])]

    def next_of(
        self,
        waiting: Sequence[Training],
        seconds_of: Callable[[int], float],
        left: float,
        workers: int = 1,
        busy: Sequence[float] = (),
    ) -> Training | None:
        """The training to begin now, of those that end in time; None where there is none.

        Seed by seed, so that the evidence is even wherever it is cut; what is beyond the picks and twins follows.
        """
        fitting = self._fitting(waiting, seconds_of, left, workers, busy)
        ranks = _ranks(self.finalists)

        def turn(training: Training) -> tuple[object, ...]:
            rank, place = ranks[training.finalist], self.plan[training.finalist].index(training.seed)
            further, beyond = place >= LEAST_SEEDS, rank >= _BEYOND_PICKS["default"]
            return rank == _BEYOND_RANGE, further, beyond, rank if beyond else 0, place, rank, training.finalist

        return min(fitting, key=turn, default=None)

    def _fitting(
        self,
        waiting: Sequence[Training],
        seconds_of: Callable[[int], float],
        left: float,
        workers: int,
        busy: Sequence[float],
    ) -> list[Training]:
        """The groups that end in time, in their order; else a part of the first, if it is the least or was begun."""
        groups, open_ones, chosen = self.groups(), set(waiting), list[Training]()
        for group in groups:
            wanted = [*chosen, *(training for training in group if training in open_ones)]
            if makespan([seconds_of(training.finalist) for training in wanted], workers, busy) <= left:
                chosen = wanted
            elif group == groups[0]:
                break  # without these nothing else is of worth
        if chosen or not open_ones:
            return chosen
        first = next(group for group in groups if not open_ones.isdisjoint(group))
        begun = first == groups[0] or not open_ones.issuperset(first)
        return [each for each in first if begun and each in open_ones and seconds_of(each.finalist) <= left]


def _ranks(finalists: Sequence[Finalist]) -> Mapping[int, int]:
    """Of each finalist by its number: 0 of the best pick of each arm, 1 of the next one; a twin has that of its own."""
    own: dict[int, int] = {}
    for finalist in finalists:
        arm = finalist.proposal.arm
        earlier = sum(1 for f in finalists if f.role == "pick" and f.proposal.arm == arm and f.proposal.number in own)
        if finalist.role != "twin":
            own[finalist.proposal.number] = earlier if finalist.role == "pick" else _BEYOND_PICKS[finalist.role]
    return {
        f.proposal.number: min(own[number] for number in (f.proposal.number, *f.twin_of) if number in own)
        for f in finalists
    }
