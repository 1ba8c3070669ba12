"""The sampler's seed and its first random trials."""

from __future__ import annotations

import optuna
import pytest

from autokd.tune.sampler import sampler, sampler_seed


def test_every_trial_is_drawn_from_a_seed_of_its_own() -> None:
    seeds = [sampler_seed(seed, number) for seed in (0, 1, 2) for number in range(500)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= sampler_seed(10**9, number) < 2**31 for number in (0, 500))


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
