"""Processes that work beside this one and start within moments: each is a fork of one that has imported PyTorch.

Importing PyTorch and timm takes seconds of a core, and a search starts processes in every stage. The one that is forked
is Python's fork server. It starts with the first of them, imports once, and then only waits: it holds no images, no GPU
and no running work, so that a fork of it is as good as new. Where the program that called autokd has a fork server
already, processes are forked from that and import for themselves; where forks are not safe, they are spawned.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

# before a process is forked: most of them train. The last ends what _as_this_one has begun.
IMPORTED = ["torch", "timm", "autokd.tune.worker", "autokd.fork_server"]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # which reach the whole group of processes
ENVIRONMENT = "AUTOKD_FORK_SERVER_ENVIRONMENT"  # what the fork server's was before: null for what was not set


def start_process(
    work: Callable[..., None], *arguments: object, daemon: bool = False
) -> tuple[Connection, BaseProcess]:
    """A process that does `work(connection, *arguments)`, and the other end of that connection.

    When its work begins, it has this process's environment and leaves signals that stop the whole group to this
    process. A `daemon` may have no children and ends with this process. Raises OSError where the machine allows no more
    processes.
    """
    forked = sys.platform == "linux"
    context = multiprocessing.get_context("forkserver" if forked else "spawn")
    context.set_forkserver_preload(IMPORTED)
    told = pickle.dumps((work, arguments))  # tensors as copies: a fork server passes 250 file descriptors at most
    here, there = context.Pipe()
    process = context.Process(target=_begin, args=(dict(os.environ), there, told), daemon=daemon)  # type: ignore[attr-defined]
    with there, _as_this_one():
        try:
            process.start()
        except (OSError, EOFError) as error:  # EOFError: the fork server was killed meanwhile
            here.close()
            raise OSError(f"no process can be started ({error or type(error).__name__})") from error
    return here, process


def _begin(environment: Mapping[str, str], connection: Connection, told: bytes) -> None:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    os.environ.clear()
    os.environ.update(environment)
    work, arguments = pickle.loads(told)  # noqa: S301 - by the process that started this one
    work(connection, *arguments)


@contextmanager
def _as_this_one() -> Iterator[None]:
    """A fork server that starts here imports from where this process does, and no signal ends it while it imports."""
    resource_tracker.ensure_running()  # which would unblock the signals
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}  # else its working directory comes first
    before: dict[str, str | None] = {name: os.environ.get(name) for name in own}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    os.environ.update(own, **{ENVIRONMENT: json.dumps(before)})
    try:
        yield
    finally:
        put_back(before)
        del os.environ[ENVIRONMENT]
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def put_back(environment: Mapping[str, str | None]) -> None:
    """These variables as they were; None: not set."""
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
