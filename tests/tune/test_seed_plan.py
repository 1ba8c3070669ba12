"""How many seeds each finalist gets in the two rounds; never more trainings than with the same number for all."""

from __future__ import annotations

import pytest

from autokd.records import Arm, Proposal, Recipe, Role
from autokd.tune.finalists import Finalist
from autokd.tune.seed_plan import MOST_SEEDS, first_round, from_seeds, second_round


def finalist(number: int, role: Role = "pick", arm: Arm = "direct", twin_of: tuple[int, ...] = ()) -> Finalist:
    recipe = Recipe(learning_rate=1e-3, epochs=0 if role == "published" else 2, batch_size=8)
    proposal = Proposal(number=number, arm=arm, student="s", recipe=recipe)
    return Finalist(proposal=proposal, role=role, trial=None, twin_of=twin_of)


SEVEN = [finalist(number) for number in range(7)]
EDGES = [finalist(7, "edge", "distill"), finalist(8, "twin", twin_of=(7,))]
PUBLISHED = finalist(9, "published")


@pytest.mark.parametrize(
    ("seeds", "contenders", "each"),
    [(3, 7, 3), (3, 6, 3), (3, 4, 3), (3, 3, 4), (3, 2, 5), (3, 1, 8), (5, 7, 5), (5, 4, 7), (5, 2, 8), (10, 2, 10)],
)
def test_contenders_share_what_the_others_save(seeds: int, contenders: int, each: int) -> None:
    plan = second_round(SEVEN, 0, seeds, range(7), range(contenders))
    assert [len(plan[number]) for number in range(7)] == [each] * contenders + [2] * (7 - contenders)
    assert sum(map(len, plan.values())) <= 7 * seeds
    assert each <= max(MOST_SEEDS, seeds)
    assert plan[0] == tuple(range(1, each + 1))


def test_the_first_round_is_two_seeds_of_all_within_the_range() -> None:
    first = first_round([*SEVEN, *EDGES, PUBLISHED], 10, 3)
    assert first == {**dict.fromkeys(range(7), (11, 12)), 9: (11,)}


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_one_or_two_seeds_there_is_one_round(seeds: int) -> None:
    finalists = [*SEVEN, *EDGES, PUBLISHED]
    own = tuple(range(1, seeds + 1))
    assert first_round(finalists, 0, seeds) == from_seeds(finalists, own)


def test_beyond_the_range_all_seeds_are_trained_and_none_is_shared() -> None:
    plan = second_round([*SEVEN, *EDGES, PUBLISHED], 0, 3, range(10), [0, 1, 9])
    assert {n: len(own) for n, own in plan.items()} == {**dict.fromkeys(range(7), 2), 0: 5, 1: 5, 7: 3, 8: 3, 9: 1}


def test_who_came_to_nothing_shares_nothing() -> None:
    plan = second_round(SEVEN, 0, 3, range(4), [0])
    assert len(plan[0]) == 2 + 4
    assert second_round(SEVEN, 0, 3, [], []) == dict.fromkeys(range(7), (1, 2))


def test_seeds_that_were_added_before_are_the_least() -> None:
    assert len(second_round(SEVEN, 0, 3, range(7), range(7), least=5)[0]) == 5
