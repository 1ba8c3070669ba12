"""Processes that are started within moments: what they have at hand, inherit and leave to the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

import autokd
from autokd.processes import ENVIRONMENT, start_process

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def tells(connection: Connection, *arguments: object) -> None:
    """Of itself, then waits until the other end is closed."""
    ignored = [signal.getsignal(each) == signal.SIG_IGN for each in STOPPING]
    there = [name in sys.modules for name in ("torch", "timm")]
    connection.send((arguments, os.environ.get("AUTOKD_TEST"), ignored, there))
    try:
        connection.recv()
    except EOFError:
        sys.exit(3)


def told(**options: Any) -> tuple[Any, int | None]:
    connection, process = start_process(tells, 1, "two", **options)
    with connection:
        assert connection.poll(60)
        found = connection.recv()
    process.join(timeout=10)
    return found, process.exitcode


def test_a_process_has_its_arguments_the_environment_of_now_and_what_takes_long_to_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("AUTOKD_TEST", value)
        assert told() == (((1, "two"), value, [True] * 3, [True] * 2), 3)
    monkeypatch.delenv("AUTOKD_TEST")
    assert told(daemon=True)[0][1] is None


def test_a_thread_may_start_one() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(told()))
    thread.start()
    thread.join(timeout=90)
    assert found == [(((1, "two"), None, [True] * 3, [True] * 2), 3)]


def test_nothing_is_changed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "mine")
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    before = dict(os.environ)
    told()
    assert dict(os.environ) == before
    assert not {*STOPPING} & signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_model_of_many_tensors_can_be_sent() -> None:
    """A fork server passes 256 file descriptors at most, of which torch would take one a tensor."""
    model = torch.nn.Sequential(*(torch.nn.Linear(1, 1) for _ in range(200)))
    connection, process = start_process(counts_tensors, model)
    with connection:
        assert connection.poll(60) and connection.recv() == 400
    process.join(timeout=10)


def counts_tensors(connection: Connection, model: torch.nn.Module) -> None:
    connection.send(len(list(model.parameters())))


def own_server() -> Any:
    return forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]


def test_no_signal_ends_a_fork_server_that_imports_or_waits() -> None:
    in_a_new_program(signal_the_server)


def signal_the_server() -> None:
    hit: list[int] = []

    def signal_it_once_it_is_there() -> None:
        end = time.monotonic() + 60
        while (server := own_server()) is None and time.monotonic() < end:
            time.sleep(0.001)
        for each in STOPPING:
            os.kill(server, each)
        hit.append(server)

    thread = threading.Thread(target=signal_it_once_it_is_there)
    thread.start()
    assert told()[1] == 3
    thread.join()
    for each in STOPPING:
        os.kill(own_server(), each)
    assert told()[1] == 3
    assert hit == [own_server()]


def tell_of_others(connection: Connection) -> None:
    connection.send((of_signals(), [name in os.environ for name in ("PYTHONSAFEPATH", ENVIRONMENT)]))


def of_signals() -> tuple[list[Any], set[Any]]:
    """Their handlers, and which of them are blocked."""
    return [signal.getsignal(each) for each in STOPPING], signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_processes_of_others_find_signals_and_environment_as_without_autokd() -> None:
    in_a_new_program(start_one_as_others_do)


def start_one_as_others_do() -> None:
    told()
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("forkserver").Process(target=tell_of_others, args=(there,))
    process.start()
    process.join(timeout=60)
    assert here.poll() and here.recv() == (of_signals(), [False, False])


def test_where_the_fork_server_has_died_there_is_another() -> None:
    in_a_new_program(kill_the_server)


def kill_the_server() -> None:
    told()
    before = own_server()
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert told()[1] == 3
    assert own_server() != before


def test_where_forks_are_not_safe_they_are_spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    found, code = told()
    assert (found[0], found[2], code) == ((1, "two"), [True] * 3, 3)


def test_the_fork_server_imports_from_where_this_process_does(tmp_path: Path) -> None:
    """Not from the working directory, where a module may have a name of Python's own."""
    (tmp_path / "timm.py").write_text("raise RuntimeError")
    own = tmp_path / "own"
    own.mkdir()
    script = own / "script.py"
    script.write_text(SCRIPT)
    assert a_new_program(script, cwd=tmp_path) == "[True, True]\n"


def in_a_new_program(check: Callable[[], None]) -> None:
    """One that has no fork server yet, so that what it does to its own is nobody else's."""
    a_new_program(__file__, check.__name__)


def a_new_program(*arguments: str | Path, cwd: Path | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(autokd.__file__).parents[1])}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SCRIPT = """
import sys
from autokd.processes import start_process

def imported(connection):
    connection.send([name in sys.modules for name in ("torch", "timm")])

if __name__ == "__main__":
    connection, process = start_process(imported)
    print(connection.recv())
    process.join()
"""

if __name__ == "__main__":
    globals()[sys.argv[1]]()
