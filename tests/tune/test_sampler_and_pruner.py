"""The sampler's seed, its first random trials, and where pruning sets in."""

from __future__ import annotations

import optuna
import pytest

from autokd.tune.sampler_and_pruner import pruner, sampler, sampler_seed


def test_arms_and_resumed_runs_draw_from_seeds_of_their_own() -> None:
    seeds = [sampler_seed(seed, trials, arm) for seed in (0, 1, 2) for trials in (0, 1, 7) for arm in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    assert sampler_seed(3, 0, 1) == 3_000_010
    assert 0 <= sampler_seed(10**9, 500, 1) < 2**31


def draws(made: optuna.samplers.BaseSampler, count: int) -> list[float]:
    study = optuna.create_study(direction="maximize", sampler=made)
    for number in range(count):
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1) * (number % 3))
    return [trial.params["x"] for trial in study.trials]


@pytest.mark.parametrize(("trials", "at_random"), [(4, 3), (18, 3), (40, 6)])
def test_a_sixth_of_the_trials_is_random_but_at_least_three(trials: int, at_random: int) -> None:
    drawn, random = draws(sampler(0, trials), 9), draws(optuna.samplers.RandomSampler(seed=0), 9)
    assert drawn[:at_random] == random[:at_random]
    assert drawn[at_random] != random[at_random]


@pytest.mark.parametrize(
    ("epochs", "trials", "comparisons"),
    [(6, 8, [2, 4]), (10, 19, [4, 8]), (10, 20, [4]), (9, 20, [3, 9]), (1, 20, [1])],
)
def test_trials_are_compared_after_a_third_of_the_epochs_and_at_multiples(
    epochs: int, trials: int, comparisons: list[int]
) -> None:
    """The worst of many trials would be stopped at each comparison that it lives to see."""
    stopped_at = []
    for begin in range(1, epochs + 1):  # worst from this epoch on, the best of all until then
        study = optuna.create_study(direction="maximize", pruner=pruner(epochs, trials))
        for _ in range(8):
            other = study.ask()
            for epoch in range(1, epochs + 1):
                other.report(0.5, epoch)
                other.should_prune()
            study.tell(other, 0.5)
        worst = study.ask()
        for epoch in range(1, epochs + 1):
            worst.report(0.9 if epoch < begin else 0.1, epoch)
            if worst.should_prune():
                stopped_at.append(epoch)
                break
    assert sorted(set(stopped_at)) == comparisons
