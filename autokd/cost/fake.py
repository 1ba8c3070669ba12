"""A meter that is a formula: for tests of everything that asks what models cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from autokd.cost.dollars import cost_usd_per_1k
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
        self._cost_model = cost_model
        self._readings = {name: self._reading(name) for name in list(parameters)[:1]}

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter."""
        for done, name in enumerate(names, start=1):
            self._readings[name] = self._reading(name)
            listener.advance("measuring serving cost", done, len(names), 0.0)
        return dict(self._readings)

    def _reading(self, name: str) -> Reading:
        capacity = RPS_AT_A_MILLION / math.sqrt(self._parameters[name] / 1e6)
        milliseconds = self._cost_model.batch_size / capacity * 1000
        return Reading(
            model=name,
            capacity_rps=capacity,
            latency_ms=Latency(p50=milliseconds, p95=1.1 * milliseconds, p99=1.2 * milliseconds),
            cost_usd_per_1k=Interval(
                mean=cost_usd_per_1k(capacity, self._cost_model),
                low=cost_usd_per_1k(capacity * (1 + SPREAD), self._cost_model),
                high=cost_usd_per_1k(capacity * (1 - SPREAD), self._cost_model),
            ),
            noisy=False,
            batch_size=self._cost_model.batch_size,
            rounds=1,
        )
