"""A meter that is a formula: for tests of everything that asks what models cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autokd.cost.dollars import serving_cost
from autokd.progress import Listener
from autokd.records import CostModel, Interval, Latency, Reading

RPS_AT_A_MILLION = 1000.0
SPREAD = 0.02


class FakeMeter:
    """Capacity falls with the square root of the parameters; the cost is known to 2 % either way.

    A request that is served alone takes as long as its share of a batch.

    `parameters` has the teacher's first.
    """

    def __init__(self, parameters: Mapping[str, int], cost_model: CostModel) -> None:
        self._parameters = parameters
        self.cost_model = cost_model
        self._readings = {name: self._reading(name, cost_model.for_teacher) for name in list(parameters)[:1]}

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter."""
        for done, name in enumerate(names, start=1):
            self._readings[name] = self._reading(name, self.cost_model)
            listener.advance("measuring serving cost", done, len(names), 0.0)
        return dict(self._readings)

    def close(self) -> None:
        """See Meter."""

    def _reading(self, name: str, cost_model: CostModel) -> Reading:
        mean = RPS_AT_A_MILLION / math.sqrt(self._parameters[name] / 1e6)
        capacity = Interval(mean=mean, low=mean * (1 - SPREAD), high=mean * (1 + SPREAD))
        alone = Interval(mean=1 / mean, low=1 / capacity.high, high=1 / capacity.low)
        batch = cost_model.batch_size or 1
        milliseconds = batch / mean * 1000
        return Reading(
            model=name,
            capacity_rps=mean,
            capacity_interval=capacity,
            latency_ms=Latency(p50=milliseconds, p95=1.1 * milliseconds, p99=1.2 * milliseconds),
            cost_usd_per_1k=serving_cost(capacity, alone, cost_model),
            noisy=False,
            batch_size=batch,
            rounds=1,
            alone_seconds=alone,
        )
