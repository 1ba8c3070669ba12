"""The limits of a stage, and how long its trainings are expected to take beside each other."""

from __future__ import annotations

from collections.abc import Collection
from math import inf, sqrt
from typing import TYPE_CHECKING

from autokd.pipeline.workers import device_count

if TYPE_CHECKING:
    from autokd.pipeline.stages import State
    from autokd.tune.limits import Limits


def limits_of(state: State, epochs_after: int, students: Collection[str] | None = None) -> Limits:
    """students: that the stage may train, where it is not all candidates.

    An epoch is expected to take in proportion to the square root of the serving cost, since a part of it is alike for
    all models. Told from the five dearest of 34 students at 32 px, the mean epoch of all comes out as 1.1 times what it
    took. In proportion to the cost it is 0.7 times that, and the mean of those five 2.0 times.
    """
    from autokd.tune.limits import Limits

    config = state.config
    trained = [each for each in state.candidates if students is None or each.student in students]
    costs = {each.student: each.reading.cost_usd_per_1k.mean for each in trained}
    return Limits(
        usd_per_hour=state.cost_model.train_price_usd_per_hour,
        devices=device_count(config),
        max_spend=config.max_spend,
        spent=state.spent,
        epochs_after=epochs_after,
        stop=state.stop,
        weights={student: sqrt(cost) for student, cost in costs.items() if 0 < cost < inf},
    )
