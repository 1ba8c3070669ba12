"""How an arm's study proposes trials and which trials it stops early. Besides study.py, only this file knows Optuna."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import optuna


def sampler(seed: int, trials: int) -> optuna.samplers.BaseSampler:
    """A tree-structured Parzen estimator (TPE) whose first proposals are random.

    Random in each arm: a sixth of `trials`, the number of both arms together, and at least 3.
    """
    import optuna

    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(3, trials // 6))


def sampler_seed(seed: int, trials_before: int, arm_index: int) -> int:
    """The seed of an arm's sampler; another one each time that a run is resumed, so that no draw is repeated."""
    return (seed * 1_000_003 + 2 * trials_before + arm_index) % 2**31


def pruner(epochs: int, trials: int) -> optuna.pruners.BasePruner:
    """Successive halving: trials are compared after a third of their epochs, then at 2 times that, and so on.

    With 20 trials or more, of both arms, the steps are 3 times as long each, and two of three trials are stopped.
    """
    import optuna

    return optuna.pruners.SuccessiveHalvingPruner(
        min_resource=math.ceil(epochs / 3), reduction_factor=2 if trials < 20 else 3
    )
