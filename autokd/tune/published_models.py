"""Published models of the task's own classes, used as they are: evaluated on validation, never trained.

The best of them become finalists. Validation decides which ones, so that only these see the test images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autokd.errors import MachineError
from autokd.files import digest
from autokd.naming import set_to
from autokd.records import Candidate, EpochReport, Proposal, Recipe, TrialRecord, TrialState
from autokd.runs.folder import Run
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Order, Outcome
from autokd.tune.failures_of_jobs import FailuresOfJobs

AS_IT_IS = Recipe(learning_rate=0.0, weight_decay=0.0, epochs=0, batch_size=1)


class PublishedSource:
    """See JobSource; a job for every direct candidate that can be used as it is, in the candidates' order."""

    def __init__(self, run: Run, candidates: Sequence[Candidate], stop: Callable[[], bool] = lambda: False) -> None:
        self._candidates = [c for c in candidates if "direct" in c.arms and c.weights is not None and c.weights.as_is]
        self._run, self._stop = run, stop
        self._waiting = list(enumerate(self._candidates))
        self._over: dict[int, TrialRecord] = {}
        self._failures = FailuresOfJobs()

    @property
    def total(self) -> int:
        """Models to be evaluated."""
        return len(self._candidates)

    def next(self) -> Job | None:
        """See JobSource."""
        if not self._waiting or self._stop():
            return None
        number, candidate = self._waiting.pop(0)
        folder = self._run.path / "published" / digest(candidate.student)
        return Job(
            key=f"published-{number}",
            proposal=Proposal(number=number, arm="direct", student=candidate.student, recipe=AS_IT_IS),
            seed=0,
            folder=str(folder.resolve()),
            final=False,
        )

    def report(self, key: str, report: EpochReport) -> Order:  # noqa: ARG002 - there are no epochs
        """See JobSource."""
        return "go"

    def finish(self, key: str, outcome: Outcome) -> None:
        """See JobSource."""
        self._note(key, "complete", outcome.val_accuracy, None)

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource; the others are rivals enough."""
        number = _number(key)
        if self._failures.again(number, retry):
            self._waiting.insert(0, (number, self._candidates[number]))
            return True
        self._note(key, "failed", None, failure.text)
        return False

    def check(self) -> None:
        """Raises MachineError where not one could be evaluated."""
        failed = [record.error for record in self._over.values() if record.state == "failed"]
        if failed and len(failed) == self.total:
            raise MachineError(
                f"none of the published models could be evaluated (first: {failed[0]}); mend the cause and go on with "
                f"{set_to('resume', True)}"
            )

    def records(self) -> list[TrialRecord]:
        """What was found, numbered in the candidates' order."""
        return [self._over[number] for number in sorted(self._over)]

    def _note(self, key: str, state: TrialState, val_accuracy: float | None, error: str | None) -> None:
        number = _number(key)
        candidate = self._candidates[number]
        self._over[number] = TrialRecord(
            number=number,
            arm="direct",
            student=candidate.student,
            parameters=candidate.parameters,
            ratio=candidate.ratio,
            macs=candidate.macs,
            cost_usd_per_1k=candidate.reading.cost_usd_per_1k.mean,
            recipe=AS_IT_IS,
            state=state,
            epochs=0,
            val_accuracy=val_accuracy,
            seconds=0.0,
            error=error,
        )


def _number(key: str) -> int:
    return int(key.removeprefix("published-"))
