"""Costs under a time limit: as many students are measured as a share of it has time for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autokd.machine import Stopwatch
from autokd.progress import Listener
from autokd.records import Reading

if TYPE_CHECKING:
    from autokd.cost.meter import Meter

TIME_SHARE = 0.2  # of a run's time limit; the teacher takes up to twice that, the trainings need the rest
NO_TIME = "not measured: the time limit left no time for it"
FEW = 4  # students that are read at a time, as many as share the teacher's passes


@dataclass
class ReadInTime:
    """A meter that reads a few students at a time, as long as there is time, and the first few in any case.

    seconds: of the watch, None for no end; late: names that it did not come to.
    """

    meter: Meter
    watch: Stopwatch
    seconds: float | None
    late: set[str] = field(default_factory=set)
    took: float = 0.0

    def read(self, names: Sequence[str], listener: Listener) -> dict[str, Reading]:
        """See Meter."""
        if self.seconds is None:
            return self.meter.read(names, listener)
        readings: dict[str, Reading] = {}
        for first in range(0, len(names), FEW):
            if self.took and self.watch.seconds + self.took > self.seconds:
                self.late.update(names[first:])
                break
            before = self.watch.seconds
            readings = self.meter.read(names[first : first + FEW], listener)
            self.took = max(self.watch.seconds - before, 1e-9)
        return readings or self.meter.read([], listener)
