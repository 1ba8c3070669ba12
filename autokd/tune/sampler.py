"""How an arm's study draws what a trial does not fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna


def sampler(seed: int, trials: int) -> optuna.samplers.BaseSampler:
    """A tree-structured Parzen estimator (TPE) whose first proposals are random.

    Random in each arm: a sixth of `trials`, the number of both arms together, and at least 3.
    """
    import optuna

    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(3, trials // 6))


def sampler_seed(seed: int, number: int) -> int:
    """The seed for drawing one trial: by its number, so that a search draws the same after a resume."""
    return (seed * 1_000_003 + number) % 2**31
