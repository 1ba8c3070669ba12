"""From which seeds each finalist is trained: two for all, then more for those that can still be picked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from autokd.records import FinalistRecord, beyond_range
from autokd.tune.finalists import Finalist

FIRST_ROUND = 2  # seeds of every finalist, with which seeds can be told from students
MOST_SEEDS = 8  # of a contender, unless more were asked for

Plan = Mapping[int, tuple[int, ...]]  # a finalist's number -> its seeds, in their order


def fresh_seeds(seed: int, count: int) -> tuple[int, ...]:
    """Seeds that no trial was trained from; the same for all finalists, so that they are paired."""
    return tuple(seed + 1 + i for i in range(count))


def from_seeds(finalists: Sequence[Finalist], seeds: Sequence[int]) -> Plan:
    """All finalists from the same seeds; one that is not trained has the first only."""
    return {f.proposal.number: tuple(seeds if f.proposal.recipe.epochs else seeds[:1]) for f in finalists}


def beyond(finalists: Sequence[Finalist]) -> set[int]:
    """Numbers of those that are no part of the contest: beyond the range of ratios."""
    return beyond_range((f.proposal.number, f.role, f.twin_of) for f in finalists)


def first_round(finalists: Sequence[Finalist], seed: int, seeds: int) -> Plan:
    """Two seeds of all finalists within the range; all seeds of everybody where nothing is left for a second round."""
    if seeds <= FIRST_ROUND:
        return from_seeds(finalists, fresh_seeds(seed, seeds))
    aside = beyond(finalists)
    return from_seeds([f for f in finalists if f.proposal.number not in aside], fresh_seeds(seed, FIRST_ROUND))


def second_round(
    finalists: Sequence[Finalist],
    seed: int,
    seeds: int,
    through: Collection[int],
    contenders: Collection[int],
    least: int = 0,
) -> Plan:
    """Both rounds: the contenders share what the others save of `seeds` each; who is beyond the range has `seeds`.

    through: numbers of the finalists with a result of the first round. least: seeds of a contender at any rate.
    """
    aside = beyond(finalists)
    trained = {f.proposal.number for f in finalists if f.proposal.recipe.epochs} & set(through) - aside
    sharing = trained & set(contenders)
    saved = len(trained) * (seeds - FIRST_ROUND) - seeds * len(_beside(finalists) & trained)
    further = max(saved // len(sharing), seeds - FIRST_ROUND) if sharing else 0
    many = max(least, min(FIRST_ROUND + further, max(seeds, MOST_SEEDS)))
    counts = dict.fromkeys(aside, seeds) | dict.fromkeys(sharing, many)
    plans = [from_seeds([f], fresh_seeds(seed, counts.get(f.proposal.number, FIRST_ROUND))) for f in finalists]
    return {number: own for plan in plans for number, own in plan.items()}


def _beside(finalists: Sequence[Finalist]) -> set[int]:
    """The longer distilled one and the twin that is its own: they have no seeds to share, and take none from others."""
    longer = {f.proposal.number for f in finalists if f.role == "longer" and f.proposal.arm == "distill"}
    return longer | {f.proposal.number for f in finalists if f.role == "twin" and longer.issuperset(f.twin_of)}


def keeping(plan: Plan, finalists: Sequence[Finalist], recorded: Sequence[FinalistRecord]) -> Plan:
    """The plan without forgetting any seed that is on record already, of the same proposal."""
    had = {record.proposal: tuple(result.seed for result in record.seeds) for record in recorded}
    return {f.proposal.number: _joined(plan.get(f.proposal.number, ()), had.get(f.proposal, ())) for f in finalists}


def _joined(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({*a, *b}))
