"""A source whose trainings are followed by a tracker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autokd.records import Candidate, EpochReport
from autokd.tracking.protocol import Tracker
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, JobSource, Order, Outcome


class Tracked:
    """Wraps a source; see JobSource. A training has the name of its folder in the run."""

    def __init__(self, source: JobSource, tracker: Tracker, run: Path, candidates: Sequence[Candidate]) -> None:
        self._source, self._tracker, self._run = source, tracker, run.resolve()
        self._candidates: Mapping[str, Candidate] = {each.student: each for each in candidates}
        self._names: dict[str, str] = {}  # of running trainings, by the key of the job

    def next(self) -> Job | None:
        """See JobSource."""
        job = self._source.next()
        if job is not None:
            self._begin(job)
        return job

    def report(self, key: str, report: EpochReport) -> Order:
        """See JobSource."""
        order = self._source.report(key, report)
        told = report.model_dump(include={"train_loss", "val_accuracy", "val_nll", "learning_rate", "seconds"})
        self._tracker.metrics(self._names[key], told, report.epoch)
        if order == "prune":
            self._tracker.end(self._names.pop(key), "stopped")
        return order

    def finish(self, key: str, outcome: Outcome) -> None:
        """See JobSource."""
        self._source.finish(key, outcome)
        self._tracker.end(self._names.pop(key), "finished")

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource."""
        again = self._source.fail(key, failure, retry)
        if name := self._names.pop(key, None):
            self._tracker.end(name, "failed")
        return again

    def _begin(self, job: Job) -> None:
        proposal, name = job.proposal, Path(job.folder).relative_to(self._run).as_posix()
        self._names[job.key] = name
        fixed = {"arm": proposal.arm, "student": proposal.student, "seed": job.seed}
        self._tracker.settings(name, fixed | dict(proposal.recipe))
        if known := self._candidates.get(proposal.student):
            cost = known.reading.cost_usd_per_1k.mean
            told = {"cost_usd_per_1k": cost, "parameters": float(known.parameters), "ratio": known.ratio}
            self._tracker.metrics(name, told)
