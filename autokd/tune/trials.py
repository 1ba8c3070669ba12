"""The search itself: the ledger's proposals as jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autokd.errors import MachineError
from autokd.files import write_text
from autokd.naming import named, set_to
from autokd.records import ARMS, Arm, EpochReport
from autokd.runs.folder import Run
from autokd.runs.store import CHECKPOINT, ERROR, PROPOSAL
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Order, Outcome
from autokd.tune.failures_of_jobs import FailuresOfJobs
from autokd.tune.memory_splits import BatchParts
from autokd.tune.study import Ledger, SearchPlan


class TrialSource:
    """See JobSource; trials of the ledger, trained from one seed, which is never searched."""

    def __init__(self, ledger: Ledger, run: Run, plan: SearchPlan) -> None:
        self._ledger, self._run, self._plan = ledger, run, plan
        self._epochs: dict[int, int] = {}  # trained so far of each trial that is not over
        self._students: dict[int, str] = {}
        self._parts = BatchParts(run)
        self._failures = FailuresOfJobs()
        records = ledger.records()
        self._over = {r.number for r in records if r.state != "running"}
        self._useful = {r.arm for r in records if r.state in ("complete", "pruned")}  # arms with any result
        self._failed: dict[Arm, dict[int, str]] = {arm: {} for arm in ARMS}
        for record in records:
            if record.state == "failed":
                self._failed[record.arm][record.number] = record.error or ""
        self._arms: dict[int, Arm] = {}

    @property
    def total(self) -> int:
        """Trials of both arms."""
        return sum(self._ledger.planned(arm) for arm in ARMS)

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
        self._arms[proposal.number] = proposal.arm
        folder = self._run.trial_path(proposal.number)
        if not PROPOSAL.exists(folder):
            PROPOSAL.write(folder, proposal)
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
        self._failures.went_well()
        self._epochs[number] = report.epoch
        self._parts.learn(self._students[number], report.accumulate)
        if self._ledger.report(number, report):
            self._end(number)
            self._useful.add(self._arms[number])
            return "prune"
        return "go"

    def finish(self, key: str, outcome: Outcome) -> None:
        """See JobSource."""
        self._ledger.finish(_number(key), outcome.val_accuracy)
        self._end(_number(key))
        self._useful.add(self._arms[_number(key)])

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource; raises MachineError where trial after trial fails without any fault of its own."""
        number = _number(key)
        again = self._failures.again(number, retry)
        self._ledger.fail(number, failure.text, again)
        if again:
            return True
        write_text(self._run.trial_path(number) / ERROR, failure.text + "\n")
        self._end(number)
        self._failed[self._arms[number]][number] = failure.text
        if self._failures.too_many(number, failure):
            in_a_row = self._failures.in_a_row
            self._refuse(in_a_row, f"{len(in_a_row)} trials in a row failed")
        return False

    def check_arms(self) -> None:
        """Raises MachineError where all trials of an arm failed, because nothing was learnt of its students then."""
        for arm, failed in self._failed.items():
            if failed and arm not in self._useful:
                count = "the only trial" if len(failed) == 1 else f"all {len(failed)} trials"
                self._refuse(failed, f"{count} of the {arm} arm failed")

    def _refuse(self, failed: Mapping[int, str], what: str) -> None:
        """A resumed search tries these trials again."""
        for number in failed:
            self._ledger.try_again(number)
        first = next(iter(failed.values()))
        raise MachineError(
            f"{what} (first: {first}), which is no evidence on their students; mend the cause and go on with "
            f"{set_to('resume', True)}, or search with another {named('space')}"
        )

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
