"""A source that is watched: progress, money, time left, and the limits that end a search early."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Protocol

from autokd.progress import Listener, Tally
from autokd.records import Arm, EpochReport
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, JobSource, Order, Outcome
from autokd.tune.pace import Pace


class CountedSource(JobSource, Protocol):
    """A source that knows how much work it has."""

    @property
    def total(self) -> int:
        """Jobs in all."""

    def epochs_left(self) -> int:
        """Epochs that are still to be trained, as far as is known."""


@dataclass
class Limits:
    """When to start no new job. `spent` is money of earlier stages and sessions, in dollars.

    weights: how long an epoch of each student that the stage may train is expected to take, in any unit: the dearest
    are trained first, and do not tell how long the others will take.
    """

    usd_per_hour: float
    devices: int = 1  # that share the work
    max_spend: float | None = None
    kept_back: float = 0.0  # dollars of it, for later stages
    spent: float = 0.0
    epochs_after: int = 0  # that later stages will train
    stop: Callable[[], bool] = lambda: False
    time: TimeShare | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass
class TimeShare:
    """The part of a time limit that a stage has; `pace` hears how long its trainings take."""

    pace: Pace
    limit: str  # in words
    may_begin: Callable[[], bool]  # whether the next job ends in time
    overrun: Callable[[], bool]  # whether what runs has to end too


class Watched:
    """Wraps a source; see JobSource. `ended_by` says in a sentence which limit was reached, if one was.

    aside: numbers of proposals that do not stand for their arm, so that its best is not one of theirs.
    """

    def __init__(
        self, source: CountedSource, stage: str, limits: Limits, listener: Listener, aside: Collection[int] = ()
    ) -> None:
        self._aside = aside
        self._source, self._limits, self._listener = source, limits, listener
        self._jobs: dict[str, Job] = {}  # running
        self._epoch_seconds: list[float] = []
        self._epoch_weights: list[float] = []
        self.seconds = 0.0
        self.ended_by: str | None = None
        self.tally = Tally(stage=stage, total=source.total)

    def begin(self, done: int, best: Mapping[Arm, float]) -> None:
        """What earlier sessions have finished. Where a limit is reached already, `ended_by` says so."""
        self.tally.best = dict(best)
        self.go_on(done)

    def go_on(self, done: int) -> None:
        """The source has more work now, so much of it done in earlier sessions. `ended_by` is as for `begin`."""
        self.tally.done += done
        self.ended_by = self._limit_reached()
        self._tell()

    def next(self) -> Job | None:
        """See JobSource."""
        self.ended_by = self._limit_reached()
        if self.ended_by or self._limits.stop():
            return None
        job = self._source.next()
        if job:
            self._jobs[job.key] = job
            if time := self._limits.time:
                time.pace.begin(job.key, job.proposal.student, job.proposal.recipe.epochs)
            self._tell()
        return job

    def report(self, key: str, report: EpochReport) -> Order:
        """See JobSource. An epoch that a checkpoint tells again costs nothing more."""
        time = self._limits.time
        if not report.restored:
            self.seconds += report.seconds
            self._epoch_seconds.append(report.seconds)
            self._epoch_weights.append(self._limits.weights.get(self._jobs[key].proposal.student, 0.0))
        if time:
            time.pace.epoch(key, None if report.restored else report.seconds)
        order = self._source.report(key, report)
        if order == "prune":
            self._over(key, whole=False)
            self.tally.pruned += 1
            self.tally.done += 1
        elif order == "go" and time and time.overrun():
            self._over(key, whole=False)
            order = "stop"
        elif order == "go" and self._limits.stop():
            order = "stop"
        self._tell()
        return order

    def finish(self, key: str, outcome: Outcome) -> None:
        """See JobSource."""
        self._source.finish(key, outcome)
        proposal = self._over(key, whole=True).proposal
        if proposal.number not in self._aside:
            best = self.tally.best.get(proposal.arm, outcome.val_accuracy)
            self.tally.best[proposal.arm] = max(best, outcome.val_accuracy)
        self.tally.done += 1
        self._tell()

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource."""
        again = self._source.fail(key, failure, retry)
        job = self._over(key, whole=False) if key in self._jobs else None
        if not again:
            self.tally.failed += 1
            self.tally.done += 1
            student = f" of {job.proposal.student}" if job else ""
            self._listener.note(f"A training{student} failed in the {self.tally.stage}: {failure.text}")
        self._tell()
        return again

    def _over(self, key: str, whole: bool) -> Job:
        if time := self._limits.time:
            time.pace.end(key, whole)
        return self._jobs.pop(key)

    def _limit_reached(self) -> str | None:
        limits, usd = self._limits, self._usd()
        if limits.time and not limits.time.may_begin():
            return limits.time.limit
        if limits.max_spend is not None and usd > limits.max_spend - limits.kept_back:
            kept_back = f", ${limits.kept_back:.4f} kept for the trials" if limits.kept_back else ""
            return f"the spending limit of ${limits.max_spend:g} (${usd:.4f} spent{kept_back})"
        return None

    def _usd(self) -> float:
        return self._limits.spent + self.seconds / 3600 * self._limits.usd_per_hour

    def _tell(self) -> None:
        self.tally.running = len(self._jobs)
        self.tally.total = self._source.total
        self.tally.usd = self._usd()
        if self._epoch_seconds:
            epochs = self._source.epochs_left() + self._limits.epochs_after
            self.tally.seconds_left = epochs * self._seconds_to_come() / self._limits.devices
        self._listener.tally(self.tally)

    def _seconds_to_come(self) -> float:
        """Of an epoch on average, where it is as far from what is expected as those that were seen."""
        seen = fmean(self._epoch_seconds)
        if not self._limits.weights or 0.0 in self._epoch_weights:
            return seen
        return seen * fmean(self._limits.weights.values()) / fmean(self._epoch_weights)
