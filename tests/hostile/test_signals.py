"""SIGTERM and SIGHUP are a Ctrl-C: the epoch is finished, the run is on record as interrupted, and it goes on later."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, default_quality

from autokd.cli import main
from autokd.config import SearchConfig
from autokd.pipeline.search import run_search
from autokd.runs.folder import Run
from autokd.tune.engines.protocol import Job

# processes that are forked from one that has imported all this start at once
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["timm", "optuna", "autokd.cli.search", "autokd.pipeline.search", "autokd.zoo.count"])


def searching(folder: Path, arguments: list[str], ignored: bool) -> None:
    """`autokd` with fakes, in a process of its own; its first training goes on until there is a file `signalled`."""
    import autokd.pipeline.services as services

    os.chdir(folder)
    os.setsid()
    output = os.open("output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if ignored:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def slow(job: Job) -> float:
        Path("begun").touch()
        end = time.monotonic() + 60
        while not Path("signalled").exists() and time.monotonic() < end:
            time.sleep(0.01)
        return default_quality(job)

    services.Parts = lambda **_: FakeParts(quality=slow)  # type: ignore[assignment,misc]
    sys.argv = ["autokd", "search", *arguments]
    main()


def begun(folder: Path, settings: SearchConfig, ignored: bool = False) -> Any:
    """The process of a search whose first trial has begun."""
    flags = {"teacher": "resnet10t", "max-cost": 1.0, "space": settings.space, "epochs": 2, "trials": 4}
    flags |= {"cache-dir": settings.cache_dir, "output": folder / "run"}
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    process = FORKS.Process(target=searching, args=(folder, arguments, ignored))
    process.start()
    end = time.monotonic() + 60
    while not (folder / "begun").exists() and process.is_alive() and time.monotonic() < end:
        time.sleep(0.05)
    return process


def signalled(process: Any, folder: Path, signals: list[signal.Signals]) -> tuple[int, str]:
    """The exit code of such a search that gets these signals, and what it prints."""
    for each in signals:
        os.kill(process.pid, each)
        time.sleep(0.05)
    (folder / "signalled").touch()
    process.join(60)
    return process.exitcode, (folder / "output").read_text()


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP], [signal.SIGHUP] * 3, [signal.SIGTERM, signal.SIGHUP]],
    ids=lambda signals: "+".join(each.name for each in signals),
)
def test_a_signal_is_one_ctrl_c(tmp_path: Path, settings: SearchConfig, signals: list[signal.Signals]) -> None:
    process = begun(tmp_path, settings)
    code, output = signalled(process, tmp_path, signals)
    assert code == 130, output
    assert "Stopping after this epoch" in output and "Traceback" not in output
    assert Run(tmp_path / "run").manifest.status == "interrupted"
    again = run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts())
    assert again.verdict == "distill"


def test_a_second_sigterm_stops_at_once_and_that_is_on_record(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings)
    code, output = signalled(process, tmp_path, [signal.SIGTERM] * 2)
    assert code == 130 and "stopped at once" in output and "Traceback" not in output
    assert Run(tmp_path / "run").manifest.status == "interrupted"


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings, ignored=True)
    code, output = signalled(process, tmp_path, [signal.SIGHUP])
    assert code == 0, output
    assert Run(tmp_path / "run").manifest.status == "done"


def test_what_a_killed_search_left_half_written_is_removed_on_resume(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings)
    process.kill()
    process.join()
    assert Run(tmp_path / "run").manifest.status == "running"
    left = [tmp_path / "run" / "trials" / "0" / ".checkpoint.pt.0123abcd.part", tmp_path / "run" / ".x.0123abcd.part"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts()).verdict == "distill"
    assert not any(path.exists() for path in left)
