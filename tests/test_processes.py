"""Processes that are started within moments: what they have at hand, inherit and leave to the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

import pytest

from autokd.processes import start_process

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


def test_here_signals_are_heard_as_before() -> None:
    before = [signal.getsignal(each) for each in STOPPING]
    told()
    assert [signal.getsignal(each) for each in STOPPING] == before


def own_server() -> Any:
    return forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]


def stopped_server() -> None:
    os.kill(own_server(), signal.SIGKILL)
    os.waitid(os.P_PID, own_server(), os.WEXITED | os.WNOWAIT)


def test_where_the_fork_server_has_died_there_is_another() -> None:
    told()
    before = own_server()
    stopped_server()
    assert told()[1] == 3
    assert own_server() != before


def tell_signals(connection: Connection) -> None:
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    connection.send((usual, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.pthread_sigmask(0, [])))


def test_no_signal_ends_a_fork_server_that_imports_and_processes_of_others_hear_them_all() -> None:
    told()
    before = own_server()
    stopped_server()
    hit: list[int] = []

    def signal_the_next_one() -> None:
        end = time.monotonic() + 60
        while (server := own_server()) in (None, before) and time.monotonic() < end:
            time.sleep(0.001)
        for each in STOPPING:
            os.kill(server, each)
        hit.append(server)

    thread = threading.Thread(target=signal_the_next_one)
    thread.start()
    assert told()[1] == 3
    thread.join()
    assert hit == [own_server()]

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("forkserver").Process(target=tell_signals, args=(there,))
    process.start()
    process.join(timeout=60)
    assert here.poll() and here.recv() == (True, True, set())
