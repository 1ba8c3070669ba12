"""The search itself: the ledger's proposals as jobs."""

from __future__ import annotations

from pathlib import Path

from autokd.files import write_text
from autokd.records import ARMS, EpochReport
from autokd.runs.folder import Run
from autokd.runs.store import CHECKPOINT, ERROR
from autokd.tune.engines.protocol import MAX_RETRIES, Job, Order, Outcome
from autokd.tune.memory_splits import BatchParts
from autokd.tune.study import Ledger, SearchPlan


class TrialSource:
    """See JobSource; trials of the ledger, trained from one seed, which is never searched."""

    def __init__(self, ledger: Ledger, run: Run, plan: SearchPlan) -> None:
        self._ledger, self._run, self._plan = ledger, run, plan
        self._epochs: dict[int, int] = {}  # trained so far of each trial that is not over
        self._students: dict[int, str] = {}
        self._parts = BatchParts(run)
        self._deaths: dict[int, int] = {}
        self._over = {r.number for r in ledger.records() if r.state != "running"}
        self.total = sum(ledger.planned(arm) for arm in ARMS)

    @property
    def over(self) -> int:
        """Trials that are complete, pruned or failed."""
        return len(self._over)

    def next(self) -> Job | None:
        """See JobSource."""
        proposal = self._ledger.next()
        if proposal is None:
            return None
        self._epochs[proposal.number] = 0
        self._students[proposal.number] = proposal.student
        folder = self._run.trial_path(proposal.number)
        return Job(
            key=f"trial-{proposal.number}",
            proposal=proposal,
            seed=self._plan.seed,
            folder=str(folder.resolve()),
            final=False,
            accumulate=self._parts.of(proposal.student),
        )

    def report(self, key: str, report: EpochReport) -> Order:
        """See JobSource."""
        number = _number(key)
        self._epochs[number] = report.epoch
        self._parts.learn(self._students[number], report.accumulate)
        if self._ledger.report(number, report):
            self._end(number)
            return "prune"
        return "go"

    def finish(self, key: str, outcome: Outcome) -> None:
        """See JobSource."""
        self._ledger.finish(_number(key), outcome.val_accuracy)
        self._end(_number(key))

    def fail(self, key: str, error: str, retry: bool) -> None:
        """See JobSource."""
        number = _number(key)
        self._deaths[number] = self._deaths.get(number, 0) + 1
        again = retry and self._deaths[number] <= MAX_RETRIES
        self._ledger.fail(number, error, again)
        if not again:
            write_text(self._run.trial_path(number) / ERROR, error + "\n")
            self._end(number)

    def epochs_left(self) -> int:
        """See CountedSource; trials that will be pruned are counted in full."""
        return (self.total - len(self._over)) * self._plan.epochs - sum(self._epochs.values())

    def _end(self, number: int) -> None:
        self._over.add(number)
        self._epochs.pop(number, None)
        _forget(self._run.trial_path(number))


def _number(key: str) -> int:
    return int(key.removeprefix("trial-"))


def _forget(folder: Path) -> None:
    """A trial that is over needs its checkpoint no more."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
