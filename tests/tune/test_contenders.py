"""Who can still become the pick of its arm after the first seeds."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from autokd.decide.economics import cheaper
from autokd.decide.policy import arm_pick
from autokd.decide.statistics.intervals import difference
from autokd.decide.statistics.seed_variance import common_variance
from autokd.records import ARMS, Arm, Interval, Policy
from autokd.tune.contenders import Entrant, contenders

IMAGES = 2_000
TEACHER_COST, TEACHER_ACCURACY = 1.0, 0.95


def entrant(number: int, accuracy: float, cost: float, arm: Arm = "direct", seeds: int = 2, **changes: Any) -> Entrant:
    """Seeds differ by a few images; a lower accuracy is right on a part of the images of a higher one."""
    right = [np.arange(IMAGES) < round(accuracy * IMAGES) + 4 * seed for seed in range(seeds)]
    return Entrant(number=number, arm=arm, cost=cost, correct=np.stack(right), **changes)


def staying(*entrants: Entrant, **policy: Any) -> set[int]:
    asked = Policy(**{"max_cost": 10.0, "min_retention": 0.8, "min_gain": 0.003, **policy})
    return set(contenders(entrants, asked, TEACHER_COST, TEACHER_ACCURACY))


@pytest.mark.parametrize(
    ("case", "entrants", "policy", "expected"),
    [
        ("surely worse and dearer", [(0.90, 0.2), (0.80, 0.3)], {}, {0}),
        ("surely worse, cheaper, both half priced", [(0.90, 0.4), (0.80, 0.2)], {}, {0}),
        ("the better one may not pay", [(0.90, 0.8), (0.80, 0.2)], {}, {0, 1}),
        ("with a volume a dearer one may not pay", [(0.90, 0.4), (0.80, 0.2)], {"requests_per_month": 1e6}, {0, 1}),
        ("within the least gain", [(0.90, 0.2), (0.899, 0.3)], {}, {0, 1}),
        ("a larger least gain", [(0.90, 0.2), (0.80, 0.3)], {"min_gain": 0.12}, {0, 1}),
        ("flips may decide", [(0.90, 0.2), (0.80, 0.3)], {"max_negative_flips": 0.1}, {0, 1}),
        ("single classes may decide", [(0.90, 0.2), (0.80, 0.3)], {"min_class_recall": 0.5}, {0, 1}),
        ("one keeps too little", [(0.90, 0.2), (0.60, 0.1)], {"max_negative_flips": 0.1}, {0}),
        ("all keep too little", [(0.60, 0.2), (0.599, 0.3)], {}, {0, 1}),
        ("all keep too little and one is worse", [(0.60, 0.2), (0.5, 0.3)], {}, {0}),
        ("savings: the cheap one keeps enough", [(0.85, 0.2), (0.84, 0.3)], {"prefer": "savings"}, {0}),
        ("savings: the best is never out", [(0.85, 0.2), (0.90, 0.3)], {"prefer": "savings"}, {0, 1}),
        ("savings: it may not keep enough", [(0.765, 0.2), (0.84, 0.3), (0.9, 0.4)], {"prefer": "savings"}, {0, 1, 2}),
        ("savings: it does", [(0.82, 0.2), (0.84, 0.3), (0.9, 0.4)], {"prefer": "savings"}, {0, 2}),
        ("savings: same cost, less accurate", [(0.90, 0.2), (0.88, 0.205)], {"prefer": "savings"}, {0}),
        ("savings: same cost, not sure", [(0.90, 0.2), (0.899, 0.2)], {"prefer": "savings"}, {0, 1}),
        ("savings: a cheap one that pays only where all is kept", [(0.85, 0.6), (0.86, 0.9), (0.9, 0.95)],
         {"prefer": "savings"}, {0, 1, 2}),
    ],
)  # fmt: skip
def test_who_stays(case: str, entrants: list[tuple[float, float]], policy: dict[str, Any], expected: set[int]) -> None:
    for arm in ("direct", "distill"):
        found = staying(*(entrant(i, *each, arm=arm) for i, each in enumerate(entrants)), **policy)  # type: ignore[arg-type]
        assert found == expected, case


def test_arms_do_not_compete_and_twins_go_on_with_distilled_contenders() -> None:
    found = staying(
        entrant(0, 0.90, 0.2, arm="distill"),
        entrant(1, 0.80, 0.3, arm="distill"),
        entrant(2, 0.85, 0.2),
        entrant(3, 0.70, 0.2, twin_of=(0,)),
        entrant(4, 0.70, 0.3, twin_of=(1,)),
        entrant(5, 0.70, 0.3, twin_of=(1, 0)),
    )
    assert found == {0, 2, 3, 5}


def test_seeds_that_differ_much_leave_it_open() -> None:
    def noisy(number: int, low: float, high: float) -> Entrant:
        right = np.stack([np.arange(IMAGES) < accuracy * IMAGES for accuracy in (low, high)])
        return Entrant(number=number, arm="direct", cost=0.2, correct=right)

    assert staying(noisy(0, 0.89, 0.91), noisy(1, 0.87, 0.89)) == {0, 1}
    assert staying(noisy(0, 0.899, 0.901), noisy(1, 0.879, 0.881)) == {0}


def test_one_seed_settles_nothing() -> None:
    assert staying(entrant(0, 0.90, 0.2), entrant(1, 0.80, 0.2, seeds=1)) == {0, 1}
    assert staying(entrant(0, 0.90, 0.2, seeds=1), entrant(1, 0.80, 0.2)) == {0, 1}
    assert staying(entrant(0, 0.90, 0.2), entrant(1, 0.40, 0.2, seeds=1)) == {0, 1}


def test_one_result_is_all_there_is_of_what_is_not_trained() -> None:
    assert staying(entrant(0, 0.90, 0.2), entrant(1, 0.80, 0.2, seeds=1, trained=False)) == {0}
    assert staying(entrant(0, 0.80, 0.2), entrant(1, 0.90, 0.2, seeds=1, trained=False)) == {1}


def test_what_may_not_be_served_displaces_nobody() -> None:
    assert staying(entrant(0, 0.90, 0.2, served=False), entrant(1, 0.80, 0.2)) == {0, 1}


def test_a_direct_one_stays_where_what_displaces_it_may_be_passed_over() -> None:
    """A direct pick that costs more than a more accurate distilled one gives way to the next of its arm."""
    dear, cheap = entrant(0, 0.90, 0.4), entrant(1, 0.80, 0.2)
    assert staying(dear, cheap, entrant(2, 0.85, 0.2, arm="distill")) == {0, 2}
    assert staying(dear, cheap, entrant(2, 0.92, 0.2, arm="distill")) == {0, 1, 2}
    assert staying(dear, cheap, entrant(2, 0.92, 0.1, arm="distill")) == {0, 2}, "both would be passed over"


def test_without_entrants_there_are_no_contenders() -> None:
    assert staying() == set()


class Costed(NamedTuple):
    """What the rules ask of a finalist when they pick one."""

    number: int
    val_accuracy: float
    cost: Interval


def picks(entrants: list[Entrant], policy: Policy) -> set[int]:
    """The picks that the verdict would take by the same results, and the direct one that may take another's place."""
    costed = {e.number: Costed(e.number, e.mean, Interval(mean=e.cost, low=e.cost, high=e.cost)) for e in entrants}

    def pick(among: list[Entrant]) -> Entrant | None:
        found: Any = arm_pick([costed[e.number] for e in among], policy)  # type: ignore[misc]
        return next((e for e in among if found and e.number == found.number), None)

    distilled, direct = ([e for e in entrants if e.arm == arm] for arm in ARMS)
    first, best = pick(direct), pick(distilled)

    def outdone(one: Entrant) -> bool:
        assert best
        ahead = difference(best.correct, one.correct, 0.95, common_variance(e.correct for e in entrants)).interval.low
        return cheaper(best.cost, one.cost) and ahead > 0

    following = pick([e for e in direct if not outdone(e)]) if best else None
    return {one.number for one in (first, best, following) if one}


@pytest.mark.parametrize("prefer", ["accuracy", "savings"])
def test_the_picks_of_the_first_round_are_always_contenders(prefer: str) -> None:
    rng = np.random.default_rng(7)
    policy, out = Policy(max_cost=10.0, min_retention=0.0, prefer=prefer), 0  # type: ignore[arg-type]
    for _ in range(150):
        hard = rng.random(500)
        entrants = [
            Entrant(
                number=number,
                arm="distill" if number < 3 else "direct",
                cost=float(rng.uniform(0.1, 0.8)),
                correct=hard + rng.normal(0, 0.03, (2, 500)) < rng.uniform(0.8, 0.95),
            )
            for number in range(8)
        ]
        found = contenders(entrants, policy, TEACHER_COST, TEACHER_ACCURACY)
        assert picks(entrants, policy) <= found
        out += len(entrants) - len(found)
    assert out > 150, "and some do stop"
