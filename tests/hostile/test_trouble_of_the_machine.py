"""What hits every training alike is no evidence: the run stops, and a resumption tries the same trainings again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fakes import FakeParts, default_quality

from autokd.config import SearchConfig
from autokd.errors import DataError, InterruptedRun, MachineError, TrainingError
from autokd.pipeline.search import run_search
from autokd.runs.folder import Run
from autokd.runs.tables import read_trials
from autokd.tune.engines.failures import failure_of
from autokd.tune.engines.protocol import Job


def wrong(job: Job, error: Exception, final: bool = False, arm: str = "direct") -> float:
    if job.final == final and job.proposal.arm == arm:
        raise error
    return default_quality(job)


def went_on(settings: SearchConfig, path: Path, trained_again: str) -> None:
    """The search went on and tried what had failed once more."""
    assert Run(path).manifest.status == "failed"
    parts = FakeParts()
    result = run_search(settings, output=path, resume=True, parts=parts)
    assert any(key.startswith(trained_again) for key in parts.trained)
    assert result.verdict == "distill"
    assert {t.state for t in read_trials(path)} <= {"complete", "pruned"}
    assert result.report.search.notes == ()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file or directory", "images/1.png"), "its files could not be read or written"),
        (PermissionError(13, "Permission denied", "/data"), "its files could not be read or written"),
        (
            MemoryError("Unable to allocate 3.00 GiB for an array"),
            "not enough memory for a training: 3.2 GB were asked",
        ),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (DataError("a.png can no longer be read (gone); put it back"), "a.png can no longer be read"),
    ],
)
@pytest.mark.parametrize("final", [False, True])
def test_trouble_of_the_machine_ends_the_run(
    settings: SearchConfig, tmp_path: Path, error: Exception, said: str, final: bool
) -> None:
    parts = FakeParts(quality=lambda job: wrong(job, error, final))
    with pytest.raises(MachineError, match=said):
        run_search(settings, output=tmp_path / "run", parts=parts)
    assert not (tmp_path / "run" / "report.json").exists()
    went_on(settings, tmp_path / "run", "finalist-" if final else "trial-")


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("a bug"), TrainingError("the loss diverged"), torch.OutOfMemoryError("out of memory")]
)
@pytest.mark.parametrize("arm", ["direct", "distill"])
def test_an_arm_of_which_every_trial_fails_ends_the_run(
    settings: SearchConfig, tmp_path: Path, error: Exception, arm: str
) -> None:
    parts = FakeParts(quality=lambda job: default_quality(job) if screens(job) else wrong(job, error, arm=arm))
    with pytest.raises(MachineError, match=rf"all 2 trials of the {arm} arm failed \(first: .*{error}.*resume=True"):
        run_search(settings, output=tmp_path / "run", parts=parts)
    went_on(settings, tmp_path / "run", "trial-")


def screens(job: Job) -> bool:
    return job.key.startswith("screening-")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("a bug"), r"3 trainings in a row failed \(first: .*a bug.*resume=True"),
        (
            TrainingError("the loss diverged"),
            r"all 4 students failed in the screening \(first: .*diverged.*resume=True",
        ),
    ],
)
def test_a_screening_that_only_failed_ends_the_run(
    settings: SearchConfig, tmp_path: Path, error: Exception, said: str
) -> None:
    parts = FakeParts(quality=lambda job: wrong(job, error, arm="direct"))
    with pytest.raises(MachineError, match=said):
        run_search(settings, output=tmp_path / "run", parts=parts)
    went_on(settings, tmp_path / "run", "screening-")


def test_three_failures_in_a_row_end_the_search_and_are_tried_again(settings: SearchConfig, tmp_path: Path) -> None:
    """As of a GPU that is lost after some trials: what works no more says nothing of the students."""
    longer = settings.changed({"trials": 20})

    def quality(job: Job) -> float:
        if job.proposal.number >= 8 and not job.final:
            raise ZeroDivisionError("a bug")
        return default_quality(job)

    parts = FakeParts(quality=quality)
    with pytest.raises(MachineError, match="3 trials in a row failed"):
        run_search(longer, output=tmp_path / "run", parts=parts)
    assert len(parts.trained) == 11
    went_on(longer, tmp_path / "run", "trial-8")
    assert len(read_trials(tmp_path / "run")) == 20


def test_an_interruption_does_not_hide_that_an_arm_only_failed(settings: SearchConfig, tmp_path: Path) -> None:
    seen: list[str] = []

    def quality(job: Job) -> float:
        seen.append(job.key)
        return wrong(job, TrainingError("the loss diverged"), arm="distill")

    def stop() -> bool:
        return len(seen) >= 3

    with pytest.raises(InterruptedRun):
        run_search(settings, output=tmp_path / "run", parts=FakeParts(quality=quality), stop=stop)
    with pytest.raises(MachineError, match="trials of the distill arm failed"):
        run_search(settings, output=tmp_path / "run", parts=FakeParts(quality=quality), resume=True)


def test_trials_that_diverge_first_do_not_end_the_search(settings: SearchConfig, tmp_path: Path) -> None:
    failed: list[str] = []

    def quality(job: Job) -> float:
        if not job.final and job.proposal.arm == "direct" and len(failed) < 4:
            failed.append(job.key)
            raise TrainingError("the loss diverged")
        return default_quality(job)

    result = run_search(settings.changed({"trials": 20}), output=tmp_path / "run", parts=FakeParts(quality=quality))
    assert [note.kind for note in result.report.search.notes] == ["trials_failed"]
    assert result.report.search.failed == 4


@pytest.mark.parametrize("arm", ["direct", "distill"])
def test_finalists_of_which_every_training_fails_end_the_run(settings: SearchConfig, tmp_path: Path, arm: str) -> None:
    parts = FakeParts(quality=lambda job: wrong(job, ZeroDivisionError("a bug"), True, arm))
    with pytest.raises(MachineError, match=f"every training of the {arm} arm's finalists failed .*a bug.*resume=True"):
        run_search(settings, output=tmp_path / "run", parts=parts)
    went_on(settings, tmp_path / "run", "finalist-")


def test_what_an_error_says_of_its_training() -> None:
    assert failure_of(TrainingError("diverged")).cause == "training"
    assert failure_of(torch.OutOfMemoryError("CUDA out of memory")).cause == "training"
    assert failure_of(ValueError("shapes differ")).cause == "other"
    assert failure_of(RuntimeError("CUDA error: unspecified launch failure")).cause == "machine"
    assert failure_of(OSError(5, "Input/output error")).cause == "machine"
