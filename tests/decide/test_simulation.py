"""The verdict on made-up predictions with a known truth: the small version of benchmarks/bench_verdict.py.

Bounds leave room for the number of repetitions; every guard is also taken away once, to show that it is needed.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from autokd.decide import policy
from autokd.decide.statistics import intervals

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES = ("simulated", "fronts", "simulated_runs", "experiments")
with pytest.MonkeyPatch.context() as beside:
    beside.syspath_prepend(str(BENCHMARKS))
    MODULES = [importlib.import_module(name) for name in NAMES]
simulated, fronts, runs, experiments = MODULES

KINDS = simulated.KINDS
FRONTS = {front.name: front for front in fronts.FRONTS}
ONE_STUDENT = replace(FRONTS["one student"], trials=4)
DIFFERENT_POOLS = FRONTS["distilled students are cheaper"]
RunCell = experiments.RunCell


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes find what they are sent, whatever other tests have done to the modules."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name, module in zip(NAMES, MODULES, strict=True):
        monkeypatch.setitem(sys.modules, name, module)


def surely_above(share: float, repetitions: int) -> float:
    """A share of hits that a true share of at most `share` exceeds once in ten thousand times."""
    return float(binom.isf(1e-4, repetitions, share)) / repetitions


def repeated(one: Any, repetitions: int, **cell: Any) -> Any:
    kind = RunCell if "front" in cell else experiments.Confirmed
    return simulated.repeated(one, kind(**cell), repetitions, seed=1).mean(axis=0)


# ---- what is made up is what was asked for ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_of_made_up_predictions_is_known(kind: Any) -> None:
    rng = np.random.default_rng(0)
    chance = simulated.Chance(kind)
    hard = simulated.with_own(rng, simulated.hardness(rng, 20_000), 0.2)
    seen = simulated.outcomes(rng, 0.9, hard, 100, chance)
    assert seen.mean() == pytest.approx(0.9, abs=0.008)
    between = seen.mean(axis=1).std()
    assert (between > 0.004) == (kind != "image by image")
    differ = (seen[0] != seen[1]).mean()
    assert (differ > 0.05) == (kind != "as a whole")


def test_a_made_up_run_has_the_finalists_of_a_real_one() -> None:
    evidence = runs.made_run(DIFFERENT_POOLS, 1000, 3, simulated.Chance("both"), np.random.default_rng(0))
    roles = {(f.arm, f.role) for f in evidence.finalists}
    assert roles == {(a, r) for a in ("distill", "direct") for r in ("pick", "default")} | {
        ("direct", "longer"),
        ("distill", "longer"),
        ("direct", "twin"),
    }
    twins = {number for f in evidence.finalists for number in f.twin_of}
    assert twins == {f.number for f in evidence.finalists if f.arm == "distill"}
    for finalist in evidence.finalists:
        tested = [result.test_accuracy for result in finalist.seeds]
        assert tested == pytest.approx(list(evidence.correct[finalist.number].mean(axis=1)))


def test_repetitions_are_the_same_for_any_number_of_workers() -> None:
    cell = experiments.Confirmed(500, 3, simulated.Chance("both"))
    one, two = (simulated.repeated(experiments.covered, cell, 60, 5, workers) for workers in (1, 2))
    assert np.array_equal(one, two)
    assert len(np.unique(one[:, 3])) > 50


# ---- distilling does nothing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRONTS)
def test_where_distilling_does_nothing_distill_is_said_in_at_most_one_of_twenty_runs(name: str) -> None:
    for kind in KINDS:
        chance = simulated.Chance(kind)
        found = repeated(experiments.equal_arms, 50, images=1000, seeds=3, chance=chance, front=FRONTS[name])
        assert found[0] <= surely_above(0.05, 50), kind


def test_without_the_twin_a_choice_of_student_would_be_taken_for_a_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = {"images": 10_000, "seeds": 5, "chance": simulated.Chance("image by image"), "front": DIFFERENT_POOLS}
    guarded = repeated(experiments.equal_arms, 80, **cell)[0]
    monkeypatch.setattr(policy, "gains", lambda case, distilled: True)
    unguarded = repeated(experiments.equal_arms, 300, **cell)[0]
    assert guarded <= surely_above(0.01, 80)
    assert unguarded > surely_above(0.01, 300)


# ---- intervals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seeds", [3, 5])
def test_intervals_hold_the_truth(kind: Any, seeds: int) -> None:
    hits = repeated(experiments.covered, 300, images=2000, seeds=seeds, chance=simulated.Chance(kind))[:3]
    assert (1 - hits <= surely_above(0.05, 300)).all(), hits


def test_without_the_seed_part_they_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "_seed_parts", lambda values, per_image: (0.0, 0.0))
    monkeypatch.setattr(experiments, "common_variance", lambda finalists: None)
    hits = repeated(experiments.covered, 300, images=10_000, seeds=3, chance=simulated.Chance("both"))[:3]
    assert (1 - hits > surely_above(0.1, 300)).all(), hits


# ---- distilling helps ------------------------------------------------------------------------------------------


def test_a_large_gain_is_found_and_more_often_with_more_evidence() -> None:
    chance = simulated.Chance("both")
    shares = {}
    for gain, seeds in ((0.03, 5), (0.015, 5), (0.015, 3), (0.0, 5)):
        front = replace(ONE_STUDENT, gain=gain)
        found = repeated(experiments.decided, 25, images=4000, seeds=seeds, chance=chance, front=front)
        shown, says, strong, _ = shares[gain, seeds] = found
        assert strong <= says <= shown
    assert shares[0.03, 5][1] > 0.9
    assert shares[0.0, 5][1] <= surely_above(0.05, 25)
    assert shares[0.0, 5][1] <= shares[0.015, 3][1] < shares[0.015, 5][1] <= shares[0.03, 5][1]


def test_a_verdict_comes_again_as_often_as_it_says() -> None:
    chance, front = simulated.Chance("both", spread=0.004), replace(ONE_STUDENT, gain=0.02)
    cell = RunCell(images=4000, seeds=3, chance=chance, front=front)
    told, _, same, _ = simulated.repeated(experiments.relied_on, cell, 80, seed=1).T
    assert same.mean() == pytest.approx(told.mean(), abs=0.15)
    assert same[told > 0.9].mean() > 0.85


# ---- selection -------------------------------------------------------------------------------------------------


def test_the_best_of_many_trials_looks_too_good_until_it_is_confirmed() -> None:
    contest = experiments.Contest(simulated.Chance("image by image"), trials=20, val=2000, test=2000)
    found = simulated.repeated(experiments.selected, contest, 200, seed=1)
    mean, error = found.mean(axis=0), found.std(axis=0) / np.sqrt(len(found))
    assert mean[0] > 4 * error[0]
    assert abs(mean[1]) < 4 * error[1]


# ---- looking again ---------------------------------------------------------------------------------------------


def test_looks_that_cost_show_a_gain_that_is_none_less_often_than_free_ones() -> None:
    cell = {"images": 500, "seeds": 10, "chance": simulated.Chance("both"), "front": ONE_STUDENT}
    found = simulated.repeated(experiments.looked_at_again, RunCell(**cell), 120, seed=1)
    found = found.reshape(120, 2, 3, len(experiments.LOOKS))
    assert np.array_equal(found[:, 0, :, 0], found[:, 1, :, 0])  # the first look is at 95 % either way
    (*_, free_gain), (_, says, gain) = found.max(axis=3).mean(axis=0)
    assert says <= gain < free_gain
    assert gain <= surely_above(0.05, 120)
