"""The confirmation: every finalist trained again from fresh seeds, its results kept in its folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autokd.errors import MachineError, RunError
from autokd.files import write_text
from autokd.metrics import evaluate
from autokd.naming import set_to
from autokd.records import Candidate, EpochReport, FinalistRecord, Proposal, SeedResult
from autokd.runs.arrays import (
    Part,
    read_labels,
    read_logits,
    read_teacher_logits,
    write_correct,
)
from autokd.runs.folder import Run
from autokd.runs.store import ERROR, PROPOSAL, RESULT, WEIGHTS
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Order, Outcome
from autokd.tune.failures_of_jobs import FailuresOfJobs
from autokd.tune.finalists import Finalist
from autokd.tune.memory_splits import BatchParts
from autokd.tune.seed_plan import FIRST_ROUND, Plan, beyond

PARTS: tuple[Part, Part] = ("test", "val")


Choose = Callable[[Sequence[Job]], Job | None]


@dataclass(frozen=True)
class FailedTraining:
    """A training of a finalist that came to nothing."""

    proposal: Proposal
    seed: int
    error: str

    @property
    def sentence(self) -> str:
        """What happened."""
        return f"finalist {self.proposal.number} ({self.proposal.student}) failed from seed {self.seed}: {self.error}"


class FinalistSource:
    """See JobSource; a job for every seed in the plan, minus those whose result is on disk.

    `recorded` is what finalists.json says so far: the weights that it names stay, so that a run is whole whenever this
    is interrupted. `length` compares trainings: the longest begin first, so that no worker idles for long at the end.
    `choose`: which of the jobs that wait is next, if any.
    """

    def __init__(
        self,
        run: Run,
        finalists: Sequence[Finalist],
        plan: Plan,
        recorded: Sequence[FinalistRecord] = (),
        length: Callable[[Proposal], float] = lambda _: 0.0,
        choose: Choose = lambda jobs: jobs[0],
    ) -> None:
        self._run, self._finalists, self._length = run, finalists, length
        self.total, self.over = 0, 0
        self._jobs: list[Job] = []
        self._waiting: list[Job] = []
        for finalist in finalists:
            _forget_others(run, finalist.proposal)
        self.plan(plan, choose)
        self._parts = BatchParts(run)
        self._recorded = {record.number: record for record in recorded}
        self._running: dict[str, tuple[Job, int]] = {}  # epochs so far
        self._failures = FailuresOfJobs()
        self.beyond = beyond(finalists)
        self.failed: list[FailedTraining] = []
        self.failed_beyond: list[FailedTraining] = []  # of the ratio range: no verdict rests on these

    def plan(self, plan: Plan, choose: Choose) -> int:
        """Take up what another plan has more than the one before; how much of that is on disk already."""
        known = {job.key for job in self._jobs}
        asked = ((one, seed) for one in self._finalists for seed in plan.get(one.proposal.number, ()))
        jobs = [_job(self._run, finalist, seed) for finalist, seed in asked]
        jobs = sorted((job for job in jobs if job.key not in known), key=self._turn)
        for job in jobs:
            if not PROPOSAL.exists(Path(job.folder)):
                PROPOSAL.write(Path(job.folder), job.proposal)
        waiting = [job for job in jobs if not _is_done(job)]
        done = len(jobs) - len(waiting)
        self._choose = choose
        self._jobs += jobs
        self._waiting += waiting
        self.total += len(jobs)
        self.over += done
        return done

    def _turn(self, job: Job) -> tuple[float, int, int]:
        return -self._length(job.proposal), job.seed, job.proposal.number

    @property
    def waiting(self) -> list[Job]:
        """Jobs that nobody has taken."""
        return self._waiting

    def ready(self) -> bool:
        """Whether there is a job that may begin now, or none at all."""
        return not self._waiting or self._choose(self._waiting) is not None

    def next(self) -> Job | None:
        """See JobSource."""
        job = self._choose(self._waiting) if self._waiting else None
        if job is None:
            return None
        self._waiting.remove(job)
        job = job.model_copy(update={"accumulate": self._parts.of(job.proposal.student)})
        self._running[job.key] = (job, 0)
        return job

    def report(self, key: str, report: EpochReport) -> Order:
        """See JobSource."""
        job = self._running[key][0]
        self._running[key] = (job, report.epoch)
        if self._parts.learn(job.proposal.student, report.accumulate):
            self._train_again(job.proposal.student)
        return "go"

    def finish(self, key: str, outcome: Outcome) -> None:  # noqa: ARG002 - the worker has written result.json
        """See JobSource."""
        job, _ = self._running.pop(key)
        self._train_again(job.proposal.student)  # where another learnt meanwhile that batches do not fit
        keep_needed_weights(Path(job.folder).parent, self._recorded.get(job.proposal.number))

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource."""
        job, _ = self._running.pop(key)
        if self._failures.again(key, retry):
            self._waiting.insert(0, job)
            return True
        failed = self.failed_beyond if job.proposal.number in self.beyond else self.failed
        failed.append(FailedTraining(job.proposal, job.seed, failure.text))
        write_text(Path(job.folder) / ERROR, failure.text + "\n")
        return False

    @property
    def left_out(self) -> list[Job]:
        """Jobs that were not done, those that failed aside."""
        failed = {(f.proposal.number, f.seed) for f in (*self.failed, *self.failed_beyond)}
        return [job for job in self._jobs if not _is_done(job) and (job.proposal.number, job.seed) not in failed]

    def check_arms(self) -> None:
        """Raises MachineError where every training of an arm's finalists failed: a resume trains them again."""
        done = {job.proposal.arm for job in self._jobs if _is_done(job)}
        for failed in self.failed:
            arm = failed.proposal.arm
            if arm not in done:
                raise MachineError(
                    f"every training of the {arm} arm's finalists failed (first: {failed.sentence}), which is no "
                    f"evidence on them; mend the cause and go on with {set_to('resume', True)}"
                )

    def _train_again(self, student: str) -> None:
        """Hand out once more what was trained on other batches than this student's other trainings."""
        for job in self._jobs:
            folder = Path(job.folder)
            if job.proposal.student != student or not job.proposal.recipe.epochs or not _is_done(job):
                continue
            if RESULT.read(folder).accumulate < self._parts.of(student):
                RESULT.path(folder).unlink()
                self._waiting.append(job)
                self.total += 1

    def epochs_left(self) -> int:
        """See CountedSource."""
        running = sum(job.proposal.recipe.epochs - epochs for job, epochs in self._running.values())
        return running + sum(job.proposal.recipe.epochs for job in self._waiting)


def collect(
    run: Run,
    finalists: Sequence[Finalist],
    plan: Plan,
    candidates: Mapping[str, Candidate],
    stopped: Collection[int] = (),
) -> list[FinalistRecord]:
    """The records of all finalists with at least two finished seeds, or all of those that they have.

    stopped: numbers of those that are no contenders.
    """
    records = []
    for finalist in finalists:
        proposal, candidate = finalist.proposal, candidates[finalist.proposal.student]
        own = plan.get(proposal.number, ())
        folders = [run.finalist_path(proposal.number, seed) for seed in own]
        results = tuple(_evaluated(run, folder) for folder in folders if RESULT.exists(folder))
        if len(results) < max(1, min(FIRST_ROUND, len(own))):
            continue
        records.append(
            FinalistRecord(
                number=proposal.number,
                arm=proposal.arm,
                role=finalist.role,
                student=proposal.student,
                twin_of=finalist.twin_of,
                trial=finalist.trial,
                recipe=proposal.recipe,
                parameters=candidate.parameters,
                ratio=candidate.ratio,
                macs=candidate.macs,
                reading=candidate.reading,
                seeds=results,
                weights=candidate.weights,
                contender=proposal.number not in stopped,
            )
        )
    return records


def seconds_of(run: Run, number: int, seeds: Iterable[int]) -> float:
    """Device seconds of a finalist's finished trainings from these seeds, whether or not it comes into the evidence."""
    folders = (run.finalist_path(number, seed) for seed in seeds)
    return sum(RESULT.read(folder).device_seconds for folder in folders if RESULT.exists(folder))


def _evaluated(run: Run, folder: Path) -> SeedResult:
    """A seed's result with what its logits say; which test images are right is kept next to them."""
    labels, val_labels = (read_labels(run.path, part) for part in PARTS)
    logits, val_logits = (
        read_logits(folder, part, len(known)) for part, known in zip(PARTS, (labels, val_labels), strict=True)
    )
    result, correct = RESULT.read(folder), logits.argmax(1) == labels
    if abs(correct.mean() - result.test_accuracy) > 1e-6:
        raise RunError(
            f"{folder} holds logits of another training: {correct.mean():.2%} of them are right, {RESULT.name} says "
            f"{result.test_accuracy:.2%}; remove that folder, so that the training is done again"
        )
    write_correct(folder, correct)
    teacher = read_teacher_logits(run.path, len(labels))
    evaluation = evaluate(logits, labels, teacher, val_logits, val_labels)
    return result.model_copy(update={"evaluation": evaluation})


def _job(run: Run, finalist: Finalist, seed: int) -> Job:
    proposal = finalist.proposal
    folder = run.finalist_path(proposal.number, seed).resolve()
    return Job(
        key=f"finalist-{proposal.number}-{seed}",
        proposal=proposal,
        seed=seed,
        folder=str(folder),
        final=True,
        twin=bool(finalist.twin_of),
    )


def _forget_others(run: Run, proposal: Proposal) -> None:
    """Clear what an earlier session has trained of another proposal under this number, before its search went on."""
    for folder in run.finalist_path(proposal.number, 0).parent.glob("*/"):
        with suppress(RunError):
            if PROPOSAL.read_if_there(folder) == proposal:
                continue
        shutil.rmtree(folder, ignore_errors=True)


def _is_done(job: Job) -> bool:
    return RESULT.exists(Path(job.folder))


def keep_needed_weights(folder: Path, record: FinalistRecord | None) -> None:
    """Drop the weights of one finalist's seeds that no record on disk names and no later one can.

    `record` is the finalist's in finalists.json. The next confirmation may ask for any number of seeds from those of
    the record on, so the best of each such number is kept; without a record, all seeds are asked for.
    """
    results = {path.parent: RESULT.read(path.parent) for path in folder.glob(f"*/{RESULT.name}")}
    recorded = {result.seed for result in (record.seeds if record else results.values())}
    needed = {record.shipped.seed} if record else set()
    for last in results.values():
        asked = [result for result in results.values() if result.seed in recorded or result.seed <= last.seed]
        needed.add(max(asked, key=lambda result: (result.val_accuracy, -result.seed)).seed)
    for path, result in results.items():
        if result.seed not in needed:
            (path / WEIGHTS).unlink(missing_ok=True)
