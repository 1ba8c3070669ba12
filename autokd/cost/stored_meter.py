"""Serving costs read from a file of `autokd measure`; those of students that it lacks are predicted from it.

Predicted are the seconds of an image and of a request that is served alone, by the formula of cost/predict.py fitted on
the students of the file. With its margin m the interval of t seconds reaches from t / (1 + m) to t * (1 + m).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from autokd.cost.costs_file import priced
from autokd.cost.dollars import serving_cost
from autokd.cost.predict import FEWEST, Prediction, Size, fit
from autokd.formatting import listed
from autokd.naming import named
from autokd.progress import Listener
from autokd.records import CostModel, Interval, MeasuredCosts, Reading, architecture

NAMED = 5  # students that a note names
Sizes = Callable[[Sequence[str], int], Mapping[str, Size]]  # of students, by name, with a number of classes


class StoredMeter:
    """See Meter. The file has the teacher; sizes: of the students that can be counted."""

    def __init__(self, teacher: str, costs: MeasuredCosts, cost_model: CostModel, sizes: Sizes, classes: int) -> None:
        self._teacher, self._costs, self._sizes, self._classes = teacher, costs, sizes, classes
        self.cost_model = cost_model
        self._readings: dict[str, Reading] = {}
        self._told = False
        self._fitted: tuple[Prediction, Prediction] | None = None

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter."""
        self._tell_once(listener)
        measured = {name: stored for name in (self._teacher, *names) if (stored := self._costs.reading(name))}
        self._readings |= priced(measured, self._teacher, self.cost_model)
        if missing := [name for name in names if name not in measured]:
            self._predict(missing, listener)
        return dict(self._readings)

    def close(self) -> None:
        """See Meter."""

    def _tell_once(self, listener: Listener) -> None:
        if not self._told and self._costs.classes != self._classes:
            listener.note(
                f"The models in the file of {named('costs')} have {self._costs.classes} classes and the task has "
                f"{self._classes}; their costs differ by that of the head."
            )
        self._told = True

    def _predict(self, names: list[str], listener: Listener) -> None:
        why = self._cannot_predict()
        if why:
            listener.note(f"{_many(names)} not in the file of {named('costs')}, and left out: {why}.")
            return
        assert self._fitted is not None  # noqa: S101 - else there is a reason
        whole, alone = self._fitted
        sizes = self._sizes(names, self._classes)
        self._readings |= {name: self._predicted(name, size, whole, alone) for name, size in sizes.items()}
        listener.note(
            f"{_many(names)} not in the file of {named('costs')}; their costs are predicted from {len(whole.errors)} "
            f"measured students. Predicted from the others, each was off by {whole.median_error:.0%} (median), "
            f"{whole.largest_error:.0%} at most."
        )

    def _cannot_predict(self) -> str | None:
        """Why no student can be predicted; fits the formula where it can."""
        if self._costs.max_latency_ms is not None:
            return "a latency is measured, not predicted"
        if self._fitted is None:
            known = {
                name: reading
                for name, reading in self._costs.readings.items()
                if architecture(name) not in {architecture(self._teacher), architecture(self._costs.reference)}
                and reading.capacity_rps
                and reading.alone_seconds
            }
            sizes = self._sizes(list(known), self._costs.classes)
            if len(sizes) < FEWEST:
                return f"a prediction needs {FEWEST} measured students besides the teacher, and there are {len(sizes)}"
            readings = [known[name] for name in sizes]
            seconds = [1 / reading.capacity_rps for reading in readings if reading.capacity_rps]
            alone = [reading.alone_seconds.mean for reading in readings if reading.alone_seconds]
            self._fitted = fit(list(sizes.values()), seconds), fit(list(sizes.values()), alone)
        return None

    def _predicted(self, name: str, size: Size, whole: Prediction, alone: Prediction) -> Reading:
        seconds, alone_seconds = _interval(whole, size), _interval(alone, size)
        capacity = Interval(mean=1 / seconds.mean, low=1 / seconds.high, high=1 / seconds.low)
        return Reading(
            model=name,
            capacity_rps=capacity.mean,
            capacity_interval=capacity,
            latency_ms=None,
            cost_usd_per_1k=serving_cost(capacity, alone_seconds, self.cost_model),
            noisy=False,
            batch_size=None,
            rounds=0,
            alone_seconds=alone_seconds,
            predicted=True,
        )


def _interval(prediction: Prediction, size: Size) -> Interval:
    seconds, factor = prediction.cost(size), 1 + prediction.margin
    return Interval(mean=seconds, low=seconds / factor, high=seconds * factor)


def _many(names: Sequence[str]) -> str:
    """`2 students (a and b) are`"""
    shown = [*names[:NAMED], *([f"{len(names) - NAMED} others"] if len(names) > NAMED else [])]
    return f"{len(names)} student{'s' if len(names) > 1 else ''} ({listed(shown)}) {'are' if len(names) > 1 else 'is'}"
