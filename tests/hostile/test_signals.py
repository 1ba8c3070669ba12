"""SIGTERM and SIGHUP are a Ctrl-C: the epoch is finished, the run is on record as interrupted, and it goes on later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import FakeParts

from autokd.config import SearchConfig
from autokd.pipeline.search import run_search
from autokd.runs.folder import Run
from autokd.tune.engines.local import _work

SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv.pop(1))
from pathlib import Path
from fakes import FakeParts, default_quality
import autokd.pipeline.search as search

def slow(job):
    Path("begun").touch()
    time.sleep(0.5)
    return default_quality(job)

search.Parts = lambda: FakeParts(quality=slow)
import autokd.cli
autokd.cli.main()
"""


def begun(tmp_path: Path, settings: SearchConfig, **options: object) -> subprocess.Popen[str]:
    """A slow search whose first trial has begun."""
    flags = {"teacher": "resnet10t", "max-cost": 1.0, "space": settings.space, "epochs": 2, "trials": 4}
    flags |= {"cache-dir": settings.cache_dir, "output": tmp_path / "run"}
    arguments = [f"--{name}={value}" for name, value in flags.items()]
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1]), "search", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **streams, **options)  # type: ignore[call-overload]
    end = time.monotonic() + 60
    while not (tmp_path / "begun").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    return process  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGHUP], [signal.SIGHUP] * 3, [signal.SIGTERM, signal.SIGHUP]],
    ids=lambda signals: "+".join(each.name for each in signals),
)
def test_a_signal_is_one_ctrl_c(tmp_path: Path, settings: SearchConfig, signals: list[signal.Signals]) -> None:
    process = begun(tmp_path, settings)
    for each in signals:
        process.send_signal(each)
        time.sleep(0.05)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Stopping after this epoch" in output and "Traceback" not in output
    assert Run(tmp_path / "run").manifest.status == "interrupted"
    again = run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts())
    assert again.verdict == "distill"


def test_a_second_sigterm_stops_at_once_and_that_is_on_record(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings)
    for _ in range(2):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped at once" in output and "Traceback" not in output
    assert Run(tmp_path / "run").manifest.status == "interrupted"


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert Run(tmp_path / "run").manifest.status == "done"


def test_a_worker_leaves_signals_to_the_controller(tmp_path: Path) -> None:
    code = "import sys, multiprocessing as m; from autokd.tune.engines.local import _work; a, b = m.Pipe();"
    code += "print('up', flush=True); import threading; threading.Timer(60, a.close).start(); _work(b, None, 0, 1)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        time.sleep(0.3)
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(process.pid, each)
        time.sleep(0.3)
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()
    assert callable(_work)


def test_what_a_killed_search_left_half_written_is_removed_on_resume(tmp_path: Path, settings: SearchConfig) -> None:
    process = begun(tmp_path, settings)
    process.kill()
    process.communicate()
    assert Run(tmp_path / "run").manifest.status == "running"
    left = [tmp_path / "run" / "trials" / "0" / ".checkpoint.pt.0123abcd.part", tmp_path / "run" / ".x.0123abcd.part"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts()).verdict == "distill"
    assert not any(path.exists() for path in left)
