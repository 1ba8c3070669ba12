"""Where a batch does not fit into memory, every training of that student is done alike, in both arms."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.files import write_text
from autokd.records import EpochReport, Proposal, Recipe, SeedResult
from autokd.runs.folder import Run
from autokd.tune.engines.protocol import Job, Outcome
from autokd.tune.finalist_trainings import FinalistSource
from autokd.tune.finalists import Finalist
from autokd.tune.memory_splits import BatchParts
from autokd.tune.seed_plan import from_seeds

OUTCOME = Outcome(epochs=2, val_accuracy=0.5, test_accuracy=0.5, seconds=1.0)


def finalist(number: int, student: str) -> Finalist:
    recipe = Recipe(learning_rate=1e-3, epochs=2, batch_size=32)
    return Finalist(
        proposal=Proposal(number=number, arm="direct", student=student, recipe=recipe), role="pick", trial=0
    )


def source_of(run: Run, finalists: list[Finalist], seeds: list[int]) -> FinalistSource:
    return FinalistSource(run, finalists, from_seeds(finalists, seeds))


def report(epoch: int, parts: int) -> EpochReport:
    return EpochReport(
        epoch=epoch, train_loss=1, val_accuracy=0.5, val_nll=1, learning_rate=1, seconds=1, accumulate=parts
    )


def train(source: FinalistSource, job: Job, needed: int) -> None:
    """What a workshop does with a job on a device that holds the `needed`-th part of a batch."""
    parts = max(job.accumulate, needed)
    for epoch in (1, 2):
        source.report(job.key, report(epoch, parts))
    result = SeedResult(seed=job.seed, val_accuracy=0.5, test_accuracy=0.5, device_seconds=1, accumulate=parts)
    write_text(Path(job.folder) / "result.json", result.model_dump_json())
    source.finish(job.key, OUTCOME)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_what_is_learnt_outlives_the_session(run: Run) -> None:
    parts = BatchParts(run)
    assert parts.of("a") == 1
    assert parts.learn("a", 4)
    assert not parts.learn("a", 2)
    assert (BatchParts(run).of("a"), BatchParts(run).of("b")) == (4, 1)


def test_a_student_that_needs_parts_gets_them_in_all_its_trainings(run: Run) -> None:
    """Finalist 0 and its counterpart 2 are one student; the second of them is the first to run out of memory."""
    source = source_of(run, [finalist(0, "a"), finalist(1, "b"), finalist(2, "a")], [1, 2])
    needs = iter([1, 1, 2])
    trained: list[tuple[str, int]] = []
    while job := source.next():
        trained.append((job.key, job.accumulate))
        train(source, job, next(needs, 1))
    assert trained == [
        ("finalist-0-1", 1),
        ("finalist-1-1", 1),
        ("finalist-2-1", 1),  # ends with two parts
        ("finalist-0-2", 2),
        ("finalist-1-2", 1),
        ("finalist-2-2", 2),
        ("finalist-0-1", 2),  # once more
    ]
    results = {path: SeedResult.model_validate_json(path.read_text()) for path in run.path.rglob("result.json")}
    assert {path.parent.parent.name: result.accumulate for path, result in results.items()} == {"0": 2, "1": 1, "2": 2}
    assert not source.waiting


def test_one_that_was_running_meanwhile_is_trained_again_too(run: Run) -> None:
    source = source_of(run, [finalist(0, "a"), finalist(1, "a")], [1])
    first, second = source.next(), source.next()
    assert first and second
    train(source, second, 2)
    train(source, first, 1)
    assert source.waiting
    again = source.next()
    assert again and (again.key, again.accumulate) == ("finalist-0-1", 2)


def test_a_resume_knows_them(run: Run) -> None:
    BatchParts(run).learn("a", 2)
    job = source_of(run, [finalist(0, "a")], [1]).next()
    assert job and job.accumulate == 2
