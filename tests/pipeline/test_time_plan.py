"""What is done in the time there is, and in which order it is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autokd.pipeline.time_plan import Confirmation, Training, Work, least, makespan, plan_time
from autokd.records import Arm, Proposal, Recipe, Role
from autokd.tune.finalists import Finalist
from autokd.tune.seed_plan import from_seeds

WORK = Work(
    screening=100.0, trials=16, least_trials=6, arms=2, finalists=2, seeds=4, edges=0, training=10.0, workers=1
)  # fmt: skip


def test_trainings_are_spread_over_workers() -> None:
    assert makespan([]) == 0
    assert makespan([3, 3, 3]) == 9
    assert makespan([3, 3, 3], workers=2) == 6
    assert makespan([3, 3], workers=2, busy=[5.0]) == 6
    assert makespan([], workers=2, busy=[5.0, 1.0]) == 5


def test_with_time_enough_everything_is_planned() -> None:
    plan = plan_time(1_000, WORK)
    assert plan == (1.0, 16, 2, 4, True, 100 + 160 + 12 * 10 * 4)


def test_the_least_is_two_seeds_of_the_best_picks_and_a_twin() -> None:
    assert least(WORK) == (0.0, 2, 1, 2, False, 20 + 3 * 2 * 10)
    assert plan_time(5, WORK) == least(WORK)
    assert least(replace(WORK, arms=1, least_trials=3)).trials == 1


def test_what_is_worth_least_goes_first() -> None:
    """Ever less time: seeds, extras, picks, trials, screening, and last of all trials below one a student."""
    plans = [plan_time(left, WORK) for left in range(800, 60, -5)]
    assert all(plan.seconds <= left for plan, left in zip(plans, range(800, 60, -5), strict=True) if left >= 80)
    turns = list(dict.fromkeys(plan[:5] for plan in plans))
    assert turns[:8] == [
        (1.0, 16, 2, 4, True),
        (1.0, 16, 2, 3, True),
        (1.0, 16, 2, 2, True),
        (1.0, 16, 2, 2, False),
        (1.0, 16, 1, 2, False),
        (1.0, 14, 1, 2, False),
        (1.0, 12, 1, 2, False),
        (1.0, 10, 1, 2, False),
    ]
    assert turns[9:11] == [(1.0, 6, 1, 2, False), (0.9, 6, 1, 2, False)]
    assert turns[-1] == (0.0, 2, 1, 2, False)


def finalist(number: int, arm: Arm, role: Role, twin_of: tuple[int, ...] = ()) -> Finalist:
    recipe = Recipe(learning_rate=0.001, epochs=10, batch_size=32)
    proposal = Proposal(number=number, arm=arm, student="s", recipe=recipe)
    return Finalist(proposal=proposal, role=role, trial=None, twin_of=twin_of)


FINALISTS = [
    finalist(0, "distill", "pick"),
    finalist(1, "distill", "pick"),
    finalist(2, "distill", "default"),
    finalist(3, "direct", "pick"),
    finalist(4, "direct", "pick", twin_of=(0,)),  # the second of its arm is the twin of the first of the other
    finalist(5, "direct", "longer"),
    finalist(6, "direct", "twin", twin_of=(1,)),
    finalist(7, "direct", "twin", twin_of=(2,)),
]
SEEDS = (1, 2, 3)
ALL = Confirmation(FINALISTS, from_seeds(FINALISTS, SEEDS))


def everything() -> list[Training]:
    return [Training(f.proposal.number, seed) for f in FINALISTS for seed in SEEDS]


def groups_of(confirmation: Confirmation) -> list[tuple[set[int], set[int]]]:
    """Finalists and seeds."""
    return [({t.finalist for t in group}, {t.seed for t in group}) for group in confirmation.groups()]


def test_two_seeds_of_all_come_first_then_further_ones_of_picks_and_twins_then_those_of_the_rest() -> None:
    assert groups_of(ALL) == [
        ({0, 3, 4}, {1, 2}), ({1, 6}, {1, 2}), ({2, 7}, {1, 2}), ({5}, {1, 2}),
        ({0, 3, 4}, {3}), ({1, 6}, {3}), ({2, 7}, {3}), ({5}, {3}),
    ]  # fmt: skip
    assert sorted(t for group in ALL.groups() for t in group) == sorted(everything())


def test_only_contenders_have_further_seeds_and_what_is_beyond_the_range_comes_last() -> None:
    edges = [finalist(8, "distill", "edge"), finalist(9, "direct", "twin", twin_of=(8,))]
    finalists = [*FINALISTS, *edges]
    plan = {**from_seeds(finalists, (1, 2)), **from_seeds([finalists[n] for n in (0, 4)], (1, 2, 3, 4))}
    plan |= from_seeds(edges, SEEDS)
    assert groups_of(Confirmation(finalists, plan)) == [
        ({0, 3, 4}, {1, 2}), ({1, 6}, {1, 2}), ({2, 7}, {1, 2}), ({5}, {1, 2}),
        ({0, 4}, {3}), ({0, 4}, {4}), ({8, 9}, {1, 2}), ({8, 9}, {3}),
    ]  # fmt: skip


def test_in_the_first_round_there_is_nothing_else() -> None:
    first = Confirmation(FINALISTS, from_seeds(FINALISTS[:1], (1, 2)))
    assert groups_of(first) == [({0}, {1, 2})]


def trained_in(left: float, seconds: float = 10.0) -> list[Training]:
    """By one worker."""
    waiting, done = everything(), list[Training]()
    while (now := ALL.next_of(waiting, lambda _: seconds, left)) is not None:
        waiting.remove(now)
        done.append(now)
        left -= seconds
    return done


def test_all_picks_and_twins_are_trained_seed_by_seed() -> None:
    done, picks = trained_in(1_000), (0, 3, 4, 1, 6)
    assert done[:10] == [Training(number, seed) for seed in (1, 2) for number in picks]
    assert {t.seed for t in done[:16]} == {1, 2}
    assert done[16:21] == [Training(number, 3) for number in picks]
    assert sorted(trained_in(1_000)) == sorted(everything())


@pytest.mark.parametrize(
    ("left", "third"), [(59, 0), (60, 0), (99, 1), (100, 0), (130, 1), (160, 0), (190, 3), (240, 8)]
)
def test_only_what_ends_in_time_is_begun(left: float, third: int) -> None:
    done = trained_in(left)
    assert 10 * len(done) <= left
    pairs = {t.finalist for t in done if Training(t.finalist, 3 - t.seed) in done}
    assert pairs >= {0, 3, 4} or left < 60
    assert ({1, 6} <= pairs) == (left >= 100)
    assert ({2, 7} <= pairs) == (left >= 140)
    assert sum(t.seed == 3 for t in done) == third


def test_what_cannot_be_paired_is_not_begun() -> None:
    assert {t.finalist for t in trained_in(95)} == {0, 3, 4, 5}


def test_running_trainings_take_their_time() -> None:
    assert ALL.next_of(everything(), lambda _: 10.0, 65, workers=2, busy=[60.0]) == Training(0, 1)
    assert ALL.next_of(everything(), lambda _: 10.0, 5, workers=2, busy=[60.0]) is None
