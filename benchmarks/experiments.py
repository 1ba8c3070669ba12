"""What is repeated to judge the verdict: one repetition each, through autokd's own statistics and rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from fronts import Front
from simulated import Chance, Outcome, hardness, outcomes, with_own
from simulated_runs import (
    OWN,
    TEACHER_ACCURACY,
    TEACHER_COST,
    Searched,
    first_seeds,
    made_confirmation,
    made_run,
    made_search,
)

from autokd.decide import Evidence, policy
from autokd.decide.comparisons import compare
from autokd.decide.statistics import intervals
from autokd.decide.statistics.repeated_looks import level_of_look
from autokd.decide.statistics.seed_variance import common_variance
from autokd.decide.strength import Sureness, sureness
from autokd.records import Policy

ACCURACY = Policy(max_cost=0.01)
SAVINGS = Policy(max_cost=0.01, prefer="savings")
TEACHER_TOO_DEAR = Policy(max_cost=TEACHER_COST / 1.25)
LOOKS = (3, 4, 5, 6, 8, 10)  # seeds at each look


@dataclass(frozen=True)
class Cell:
    """Size of the evidence, and how seeds differ."""

    images: int
    seeds: int
    chance: Chance


@dataclass(frozen=True)
class RunCell(Cell):
    """The same with students to choose from."""

    front: Front


def equal_arms(cell: RunCell, rng: np.random.Generator) -> Outcome:
    """One run in which distilling may do nothing.

    Says distill; does so strongly; keeps the teacher only because a distilled pick without a direct one has no shown
    gain; would say distill over a direct pick if the twin were not asked; with savings: says distill, does so because
    of the costs, does that strongly; with a teacher over the budget: says distill, does so strongly.
    """
    case = compare(made_run(cell.front, cell.images, cell.seeds, cell.chance, rng))
    judged, saving, needed = (policy.judge(case, asked) for asked in (ACCURACY, SAVINGS, TEACHER_TOO_DEAR))
    says, saves = judged.verdict == "distill", saving.verdict == "distill"
    ahead = len(judged.picks) == 2 and policy.is_ahead(case, ACCURACY, *judged.picks)
    by_cost = saves and len(saving.picks) == 2 and policy.decided_by_cost(SAVINGS, *saving.picks)
    return (
        says,
        says and _strong(judged),
        judged.unproven,
        ahead,
        saves,
        by_cost,
        by_cost and _strong(saving),
        needed.verdict == "distill",
        needed.verdict == "distill" and _strong(needed),
    )


def _strong(judged: policy.Judgement) -> bool:
    return sureness(judged, settle=False).strength == "strong"


COVERED = ("difference", "retention", "accuracy")
TRUE_ACCURACY, TRUE_GAIN = 0.93, 0.01


@dataclass(frozen=True)
class Confirmed(Cell):
    """A confirmation of some finalists, of which the first two are compared.

    seeds_of: of each finalist, where they differ; factors: on what a seed does to each as a whole.
    """

    seeds_of: tuple[int, ...] = ()
    factors: tuple[float, ...] = (1.0,) * 5


def covered(cell: Confirmed, rng: np.random.Generator) -> Outcome:
    """Whether each of the three intervals holds the truth, then their widths, then that of the difference if each pair
    of finalists tells of itself only."""
    hard = hardness(rng, cell.images)
    seeds = cell.seeds_of or (cell.seeds,) * len(cell.factors)
    accuracies = (TRUE_ACCURACY, *(TRUE_ACCURACY - TRUE_GAIN,) * (len(seeds) - 1))
    chances = [replace(cell.chance, spread=factor * cell.chance.spread) for factor in cell.factors]
    seen = [
        outcomes(rng, accuracy, with_own(rng, hard, OWN), count, chance)
        for accuracy, count, chance in zip(accuracies, seeds, chances, strict=True)
    ]
    a, b, common = seen[0], seen[1], common_variance(seen)
    teacher = hard[None] < TEACHER_ACCURACY
    found = (
        (intervals.difference(a, b, common=common).interval, TRUE_GAIN),
        (intervals.retention(a, teacher, common=common).interval, TRUE_ACCURACY / TEACHER_ACCURACY),
        (intervals.accuracy(a, common=common), TRUE_ACCURACY),
    )
    hits = [interval.low <= truth <= interval.high for interval, truth in found]
    alone = 2 * intervals.difference(a, b).half_width
    return *hits, *(interval.high - interval.low for interval, _ in found), alone


def decided(cell: RunCell, rng: np.random.Generator) -> Outcome:
    """One run of the whole decision: the gain of the distilled pick is shown; it says distill; does so strongly; is
    strong whatever it says."""
    judged = policy.judge(compare(made_run(cell.front, cell.images, cell.seeds, cell.chance, rng)), ACCURACY)
    shown = judged.gain is not None and judged.gain.interval.low > 0
    distill, strong = judged.verdict == "distill", _strong(judged)
    return shown, distill, distill and strong, strong


COST_SPREAD = 0.015  # of one reading, relative


def relied_on(cell: RunCell, rng: np.random.Generator) -> Outcome:
    """A confirmation and an independent repeat of it: repeatability, whether the verdict is strong, whether the repeat
    says the same; whether the option that was not taken is truly better by more than is at stake, where both arms have
    a pick (else not a number)."""
    search = made_search(cell.front, cell.chance, rng)
    first, again = (
        policy.judge(
            compare(made_confirmation(search, cell.images, cell.seeds, cell.chance, rng, COST_SPREAD)), ACCURACY
        )
        for _ in range(2)
    )
    sure = sureness(first, settle=False)
    return sure.repeatability, sure.strength == "strong", again.verdict == first.verdict, _beyond(cell, first, sure)


def _confirmation(cell: RunCell, search: Searched, rng: np.random.Generator) -> Evidence:
    return made_confirmation(search, cell.images, cell.seeds, cell.chance, rng, COST_SPREAD)


def _beyond(cell: RunCell, judged: policy.Judgement, sure: Sureness) -> float:
    taken = judged.pick
    others = [pick for pick in judged.picks if pick is not taken]
    if taken is None or not others:
        return math.nan
    truth = [cell.front.accuracy(each.name, each.record.recipe) for each in (others[0], taken)]
    return truth[0] - truth[1] > sure.at_stake.points


@dataclass(frozen=True)
class Contest:
    """Equal trials, the best of which is confirmed."""

    chance: Chance
    trials: int = 30
    val: int = 6000
    test: int = 10_000
    seeds: int = 3
    finalists: int = 3


def selected(cell: Contest, rng: np.random.Generator) -> Outcome:
    """By how much accuracies look too good: of the best trial on validation; of the same proposal, confirmed from fresh
    seeds, on test; of the pick among confirmed finalists, on validation and on test; its gain over a twin, on test."""
    hard = hardness(rng, cell.val + cell.test)
    val = hard[: cell.val]
    trials = [outcomes(rng, TRUE_ACCURACY, with_own(rng, val, OWN), 1, cell.chance).mean() for _ in range(cell.trials)]
    students = [with_own(rng, hard, OWN) for _ in range(cell.finalists)]
    finalists = [outcomes(rng, TRUE_ACCURACY, own, cell.seeds, cell.chance) for own in students]
    on_val = [seen[:, : cell.val].mean() for seen in finalists]
    pick = int(np.argmax(on_val))
    twin = outcomes(rng, TRUE_ACCURACY, students[pick], cell.seeds, cell.chance)[:, cell.val :]
    confirmed, picked = finalists[0][:, cell.val :], finalists[pick][:, cell.val :]
    return (
        max(trials) - TRUE_ACCURACY,
        intervals.accuracy(confirmed).mean - TRUE_ACCURACY,
        on_val[pick] - TRUE_ACCURACY,
        intervals.accuracy(picked).mean - TRUE_ACCURACY,
        intervals.difference(picked, twin).mean,
    )


def looked_at_again(cell: RunCell, rng: np.random.Generator) -> Outcome:
    """For all looks at 95 %, then for the levels that looking again costs: whether each look says distill; whether it
    does so over a direct pick; whether it shows a gain over the twin, which is one of the two proofs of distill."""
    evidence = made_run(cell.front, cell.images, max(LOOKS), cell.chance, rng, rounds=False)
    answers: list[bool] = []
    for numbers in ((1,) * len(LOOKS), range(1, 1 + len(LOOKS))):
        looks = [_look(evidence, seeds, number) for seeds, number in zip(LOOKS, numbers, strict=True)]
        answers += [judged.verdict == "distill" for judged in looks]
        answers += [judged.verdict == "distill" and judged.direct is not None for judged in looks]
        answers += [judged.gain is not None and judged.gain.interval.low > 0 for judged in looks]
    return tuple(answers)


def _look(evidence: Evidence, seeds: int, number: int) -> policy.Judgement:
    seen = replace(first_seeds(evidence, seeds), level=level_of_look(number))
    return policy.judge(compare(seen), ACCURACY)
