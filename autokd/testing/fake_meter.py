"""A meter that is a formula: for tests of everything that asks what models cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autokd.cost.dollars import cost_interval
from autokd.progress import Listener
from autokd.records import CostModel, Interval, Latency, Reading

RPS_AT_A_MILLION = 1000.0
SPREAD = 0.02


class FakeMeter:
    """Capacity falls with the square root of the parameters; the cost is known to 2 % either way.

    `parameters` has the teacher's first.
    """

    def __init__(self, parameters: Mapping[str, int], cost_model: CostModel) -> None:
        self._parameters = parameters
        self.cost_model = cost_model
        self._readings = {name: self._reading(name) for name in list(parameters)[:1]}

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter."""
        for done, name in enumerate(names, start=1):
            self._readings[name] = self._reading(name)
            listener.advance("measuring serving cost", done, len(names), 0.0)
        return dict(self._readings)

    def _reading(self, name: str) -> Reading:
        mean = RPS_AT_A_MILLION / math.sqrt(self._parameters[name] / 1e6)
        capacity = Interval(mean=mean, low=mean * (1 - SPREAD), high=mean * (1 + SPREAD))
        milliseconds = (self.cost_model.batch_size or 1) / mean * 1000
        return Reading(
            model=name,
            capacity_rps=mean,
            capacity_interval=capacity,
            latency_ms=Latency(p50=milliseconds, p95=1.1 * milliseconds, p99=1.2 * milliseconds),
            cost_usd_per_1k=cost_interval(capacity, self.cost_model),
            noisy=False,
            batch_size=self.cost_model.batch_size or 1,
            rounds=1,
        )
