"""The confirmation: every finalist trained again from fresh seeds, its results kept in its folder."""

from __future__ import annotations

import io
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from autokd.errors import RunError
from autokd.files import read_json, write_bytes, write_text
from autokd.metrics import evaluate
from autokd.records import Candidate, EpochReport, FinalistRecord, Proposal, SeedResult
from autokd.runs.folder import Run
from autokd.tune.engines.protocol import MAX_RETRIES, Job, Order, Outcome
from autokd.tune.finalists import Finalist
from autokd.tune.memory_splits import BatchParts


@dataclass(frozen=True)
class Failure:
    """A training of a finalist that came to nothing."""

    proposal: Proposal
    seed: int
    error: str

    @property
    def sentence(self) -> str:
        """What happened."""
        return f"{failure_of(self.proposal)} {self.seed}: {self.error}"


def failure_of(proposal: Proposal) -> str:
    """How every sentence about a failure of this finalist begins."""
    return f"finalist {proposal.number} ({proposal.student}) failed from seed"


class FinalistSource:
    """See JobSource; a job for every finalist and seed, minus those whose result is on disk.

    A model that is used as it is has one job: no seed would change it. `recorded` is what finalists.json says so far:
    the weights that it names stay, so that a run is whole whenever this is interrupted.
    """

    def __init__(
        self, run: Run, finalists: Sequence[Finalist], seeds: Sequence[int], recorded: Sequence[FinalistRecord] = ()
    ) -> None:
        self._run = run
        jobs = [_job(run, finalist, seed) for seed in seeds for finalist in finalists if seed in _own(finalist, seeds)]
        for job in jobs:
            _forget_another(job)
        self.total = len(jobs)
        self._waiting = [job for job in jobs if not _is_done(job)]
        self.over = self.total - len(self._waiting)
        self._jobs = jobs
        self._parts = BatchParts(run)
        self._recorded = {record.number: record for record in recorded}
        self._running: dict[str, tuple[Job, int]] = {}  # epochs so far
        self._deaths: dict[str, int] = {}
        edges = {finalist.proposal.number for finalist in finalists if finalist.role == "edge"}
        self.beyond = edges | {
            finalist.proposal.number
            for finalist in finalists
            if finalist.role == "twin" and edges.issuperset(finalist.twin_of)
        }
        self.failed: list[Failure] = []
        self.failed_beyond: list[Failure] = []  # of the ratio range: no verdict rests on these

    @property
    def waiting(self) -> bool:
        """Whether there are jobs that nobody has taken."""
        return bool(self._waiting)

    def next(self) -> Job | None:
        """See JobSource."""
        if not self._waiting:
            return None
        job = self._waiting.pop(0)
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

    def fail(self, key: str, error: str, retry: bool) -> None:
        """See JobSource."""
        job, _ = self._running.pop(key)
        self._deaths[key] = self._deaths.get(key, 0) + 1
        if retry and self._deaths[key] <= MAX_RETRIES:
            self._waiting.insert(0, job)
            return
        failed = self.failed_beyond if job.proposal.number in self.beyond else self.failed
        failed.append(Failure(job.proposal, job.seed, error))
        write_text(Path(job.folder) / "error.txt", error + "\n")

    def _train_again(self, student: str) -> None:
        """Hand out once more what was trained on other batches than this student's other trainings."""
        for job in self._jobs:
            result = Path(job.folder) / "result.json"
            if job.proposal.student != student or not job.proposal.recipe.epochs or not result.exists():
                continue
            if SeedResult.model_validate(read_json(result)).accumulate < self._parts.of(student):
                result.unlink()
                self._waiting.append(job)
                self.total += 1

    def epochs_left(self) -> int:
        """See CountedSource."""
        running = sum(job.proposal.recipe.epochs - epochs for job, epochs in self._running.values())
        return running + sum(job.proposal.recipe.epochs for job in self._waiting)


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Seeds that no trial was trained from."""
    return [seed + 1 + i for i in range(count)]


def collect(
    run: Run, finalists: Sequence[Finalist], seeds: Sequence[int], candidates: Mapping[str, Candidate]
) -> list[FinalistRecord]:
    """The records of all finalists with at least two finished seeds, or all of those that they have."""
    records = []
    for finalist in finalists:
        proposal, candidate = finalist.proposal, candidates[finalist.proposal.student]
        own = _own(finalist, seeds)
        paths = [run.finalist_path(proposal.number, seed) / "result.json" for seed in own]
        results = tuple(_evaluated(run, path) for path in paths if path.exists())
        if len(results) < min(2, len(own)):
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
            )
        )
    return records


def _evaluated(run: Run, path: Path) -> SeedResult:
    """A seed's result with what its logits say, where there are any; test_correct.npy is kept beside them."""
    result = SeedResult.model_validate(read_json(path))
    val, test = path.parent / "val_logits.npy", path.parent / "test_logits.npy"
    if not (val.exists() and test.exists()):
        return result
    logits = np.load(test)
    with np.load(run.evidence_path) as known:
        labels = known["test_labels"]
        evaluation = evaluate(logits, labels, known["teacher_test_logits"], np.load(val), known["val_labels"])
    buffer = io.BytesIO()
    np.save(buffer, logits.argmax(1) == labels)
    write_bytes(path.parent / "test_correct.npy", buffer.getvalue())
    return result.model_copy(update={"evaluation": evaluation})


def _own(finalist: Finalist, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds of a finalist; one that is not trained has the first only."""
    return seeds if finalist.proposal.recipe.epochs else seeds[:1]


def _job(run: Run, finalist: Finalist, seed: int) -> Job:
    folder = run.finalist_path(finalist.proposal.number, seed).resolve()
    return Job(
        key=f"finalist-{finalist.proposal.number}-{seed}",
        proposal=finalist.proposal,
        seed=seed,
        folder=str(folder),
        final=True,
    )


def _forget_another(job: Job) -> None:
    """Clear a folder that an earlier session used for another proposal, before its search went on."""
    proposal = Path(job.folder) / "proposal.json"
    with suppress(RunError, ValidationError):
        if Proposal.model_validate(read_json(proposal)) == job.proposal:
            return
    shutil.rmtree(job.folder, ignore_errors=True)
    write_text(proposal, job.proposal.model_dump_json(indent=1))


def _is_done(job: Job) -> bool:
    return (Path(job.folder) / "result.json").exists()


def keep_needed_weights(folder: Path, record: FinalistRecord | None) -> None:
    """Drop the weights of one finalist's seeds that no record on disk names and no later one can.

    `record` is the finalist's in finalists.json. Whoever confirms next may ask for any number of seeds from those of
    the record on, so the best of each such number is kept; without a record, all seeds are asked for.
    """
    results = {path.parent: SeedResult.model_validate(read_json(path)) for path in folder.glob("*/result.json")}
    recorded = {result.seed for result in (record.seeds if record else results.values())}
    needed = {record.shipped.seed} if record else set()
    for last in results.values():
        asked = [result for result in results.values() if result.seed in recorded or result.seed <= last.seed]
        needed.add(max(asked, key=lambda result: (result.val_accuracy, -result.seed)).seed)
    for path, result in results.items():
        if result.seed not in needed:
            (path / "weights.safetensors").unlink(missing_ok=True)
