"""The serving cost of models, measured or computed from their parameters.

torch is imported only when something is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from autokd.cost.dollars import params_cost
from autokd.progress import Listener
from autokd.records import CostModel, Interval, Precision, Reading, RuntimeName

if TYPE_CHECKING:
    from torch import nn

    from autokd.cost.measure import Measurement


class Meter(Protocol):
    """Gives the serving cost of the teacher and of students, and remembers it."""

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """Readings of the teacher, of these students and of all asked for before, by name.

        A student without a reading is named to the listener.
        """

    @property
    def cost_model(self) -> CostModel:
        """How seconds became dollars; with the runtime that was chosen, once something was measured."""

    def close(self) -> None:
        """Give back what reading has taken of the machine; what was read stays."""


class MeasuredMeter:
    """Measures on the serving device, students in turn with the teacher.

    builders: gives a model as it is trained, by its name.
    teacher_size: pixels a side of the teacher's images, where they are not those of the cost model.
    processes: that may convert students side by side, until `close`; expected: students that are read in all.
    """

    def __init__(
        self,
        teacher: str,
        builders: Callable[[str], nn.Module],
        cost_model: CostModel,
        max_latency_ms: float | None = None,
        teacher_size: int | None = None,
        processes: int = 1,
        expected: int = 0,
    ) -> None:
        self._processes, self._expected = processes, expected
        self._teacher, self._builders, self._teacher_size = teacher, builders, teacher_size
        self.cost_model, self._max_latency_ms = cost_model, max_latency_ms
        self._measurement: Measurement | None = None

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter; raises ConfigError if the teacher cannot be served with these settings."""
        from autokd.cost.measure import Measurement

        if self._measurement is None:
            builder = partial(self._builders, self._teacher)
            self._measurement = Measurement(
                self._teacher,
                builder,
                self.cost_model,
                listener,
                self._max_latency_ms,
                teacher_size=self._teacher_size,
                processes=self._processes,
                expected=self._expected,
            )
            self.cost_model = self._measurement.cost_model
        return self._measurement.read({name: partial(self._builders, name) for name in names}, listener)

    def close(self) -> None:
        """See Meter."""
        if self._measurement is not None:
            self._measurement.close()

    def read_form(self, runtime: RuntimeName, precision: Precision) -> Reading:
        """The teacher in another form, once it was read; raises ConfigError where it cannot be served so."""
        assert self._measurement is not None  # noqa: S101 - `read` comes first
        return self._measurement.read_form(runtime, precision)


class ParamsMeter:
    """Prices models by their parameters alone; `parameters` has the teacher's too."""

    def __init__(self, parameters: Mapping[str, int], cost_model: CostModel) -> None:
        self._parameters = parameters
        self.cost_model = cost_model

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:  # noqa: ARG002 - Meter
        """See Meter; gives the readings of all models, since they cost nothing."""
        return {name: self._reading(name) for name in self._parameters}

    def close(self) -> None:
        """See Meter."""

    def _reading(self, name: str) -> Reading:
        cost = params_cost(self._parameters[name], self.cost_model)
        return Reading(
            model=name,
            capacity_rps=None,
            latency_ms=None,
            cost_usd_per_1k=Interval(mean=cost, low=cost, high=cost),
            noisy=False,
            batch_size=None,
            rounds=0,
        )
