"""How fast trainings go here: estimated before the first one, then as they are seen to go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

LATEST = 20  # epochs of a student that tell how fast it is now


@dataclass
class _Running:
    student: str
    epochs: int
    begun: float
    done: int = 0
    seconds: float = 0.0


class Pace:
    """Seconds by the clock that trainings take, each in one of several workers.

    expected: device seconds of an epoch of each student, before any is seen. stretch: workers that share a device.
    """

    def __init__(
        self,
        expected: Mapping[str, float],
        workers: int = 1,
        stretch: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.workers = workers
        self._expected, self._stretch, self._clock = expected, stretch, clock
        self._seen: dict[str, list[float]] = {}  # device seconds of an epoch
        self._running: dict[str, _Running] = {}
        self._besides: list[float] = []  # seconds of each training that no epoch accounts for

    # ---- what is seen ----------------------------------------------------------------------------------------

    def begin(self, key: str, student: str, epochs: int) -> None:
        """A training is handed to a worker."""
        self._running[key] = _Running(student, epochs, self._clock())

    def epoch(self, key: str, seconds: float | None) -> None:
        """An epoch of it is done, in so many device seconds; None: an earlier session has trained it."""
        running = self._running[key]
        running.done += 1
        if seconds is None:
            return
        running.seconds += seconds * self._stretch
        self._seen.setdefault(running.student, []).append(seconds)

    def end(self, key: str, whole: bool) -> None:
        """A training has ended; `whole`: with all of its epochs, test images evaluated."""
        running = self._running.pop(key, None)
        if running is not None and whole:
            self._besides.append(max(0.0, self._clock() - running.begun - running.seconds))

    # ---- what follows from it --------------------------------------------------------------------------------

    def epoch_seconds(self, student: str) -> float:
        """Of one worker; of a student not seen yet as far off its estimate as the others have been."""
        if seen := self._seen.get(student):
            return self._stretch * fmean(seen[-LATEST:])
        return self._stretch * self._off() * self._guess(student)

    def training(self, student: str, epochs: float) -> float:
        """A whole training in one worker."""
        besides = median(self._besides) if self._besides else 0.0
        return epochs * self.epoch_seconds(student) + besides

    def mean_training(self, students: Iterable[str], epochs: float) -> float:
        """On average over these students."""
        return fmean([self.training(student, epochs) for student in students] or [0.0])

    def typical_training(self, students: Iterable[str], epochs: int) -> float:
        """The median over these students."""
        return median([self.training(student, epochs) for student in students] or [0.0])

    def busy(self) -> list[float]:
        """What is left of each training that is running."""
        return [max(0, each.epochs - each.done) * self.epoch_seconds(each.student) for each in self._running.values()]

    @property
    def start_up(self) -> float:
        """What worker processes take before their first training of a stage."""
        return max(self._besides) - median(self._besides) if self._besides and self.workers > 1 else 0.0

    def _off(self) -> float:
        """Seen / expected, over all epochs that were seen."""
        expected = sum(len(seen) * self._guess(student) for student, seen in self._seen.items())
        return sum(map(sum, self._seen.values())) / expected if expected > 0 else 1.0

    def _guess(self, student: str) -> float:
        return self._expected.get(student) or fmean(self._expected.values() or [0.0])
