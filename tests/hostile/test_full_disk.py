"""A disk that is full in the middle of a search ends it in one sentence; no trial is on record as failed for it."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeParts, default_quality

from autokd.config import SearchConfig
from autokd.errors import DiskError, MachineError
from autokd.pipeline.search import run_search
from autokd.runs.folder import Run
from autokd.training.checkpoint import State, save_checkpoint
from autokd.tune.engines.protocol import Job
from autokd.tune.study import Ledger

FULL = "the disk is full"


def went_on(settings: SearchConfig, path: Path) -> None:
    """The search went on from where it was, with nothing failed."""
    assert Run(path).manifest.status == "failed"
    result = run_search(settings, output=path, resume=True, parts=FakeParts())
    assert result.verdict == "distill"
    assert set(result.trials["state"]) <= {"complete", "pruned"}


@pytest.mark.parametrize("error", [DiskError(FULL), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("final", [False, True])
def test_a_training_that_finds_the_disk_full_ends_the_search_and_is_done_later(
    settings: SearchConfig, tmp_path: Path, final: bool, error: Exception
) -> None:
    def quality(job: Job) -> float:
        if job.final == final and job.proposal.number == 1:
            raise error
        return default_quality(job)

    with pytest.raises(MachineError, match=FULL):
        run_search(settings, output=tmp_path / "run", parts=FakeParts(quality=quality))
    went_on(settings, tmp_path / "run")


def test_a_ledger_that_finds_the_disk_full_says_so(
    settings: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_finish", fails)
        with pytest.raises(DiskError, match=r"study\.db cannot be written \(database or disk is full\); make room"):
            run_search(settings, output=tmp_path / "run", parts=FakeParts())
    went_on(settings, tmp_path / "run")


def test_a_log_that_cannot_be_written_does_not_hide_what_happened(
    settings: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crashing(FakeParts):
        def soft_labels(self, *_: Any, **__: Any) -> Any:
            monkeypatch.setattr(Run, "log", lambda *_: (_ for _ in ()).throw(DiskError(FULL)))
            raise ZeroDivisionError("the cause")

    with pytest.raises(ZeroDivisionError, match="the cause"):
        run_search(settings, output=tmp_path / "run", parts=Crashing())
    assert Run(tmp_path / "run").manifest.status == "failed"


def test_a_checkpoint_that_does_not_fit_says_so(tmp_path: Path) -> None:
    """A limit of the size of a file stands for the disk; in a process of its own, because it cannot be taken back."""
    code = (
        "import resource, signal, torch\nfrom pathlib import Path\n"
        "from autokd.training.checkpoint import State, save_checkpoint\n"
        "model = torch.nn.Linear(300, 300)\nstate = State(model, torch.optim.AdamW(model.parameters()))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        f"try:\n    save_checkpoint(Path({str(tmp_path)!r}) / 'checkpoint.pt', state)\n"
        "except OSError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True).stdout
    assert said == "[Errno 27] File too large\n"
    assert not list(tmp_path.iterdir())
    model = torch.nn.Linear(2, 2)
    save_checkpoint(tmp_path / "checkpoint.pt", State(model, torch.optim.AdamW(model.parameters())))
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
