"""Processes that work beside this one and start within moments: each is a fork of one that has imported PyTorch.

Importing PyTorch and timm takes seconds of a core, and a search starts processes in every stage. The one that is forked
is Python's fork server. It starts with the first of them, imports once, and then only waits: it holds no images, no GPU
and no running work, so that a fork of it is as good as new.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

# before a process is forked: most of them train. The last ends what _signals_blocked has begun.
IMPORTED = ["torch", "timm", "autokd.tune.worker", "autokd.fork_server"]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # which reach the whole group of processes


def start_process(
    work: Callable[..., None], *arguments: object, daemon: bool = False
) -> tuple[Connection, BaseProcess]:
    """A process that does `work(connection, *arguments)`, and the other end of that connection.

    It has the environment of this moment and leaves signals that stop the whole group to this process; a `daemon` may
    have no children and ends with this process. Raises OSError where the machine allows no more processes.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    here, there = context.Pipe()
    with there, _signals_blocked():
        process = context.Process(target=_begin, args=(dict(os.environ), work, there, *arguments), daemon=daemon)
        try:
            process.start()
        except (OSError, EOFError) as error:  # EOFError: the fork server was killed meanwhile
            here.close()
            raise OSError(f"no process can be started ({error or type(error).__name__})") from error
    return here, process


def _begin(
    environment: Mapping[str, str], work: Callable[..., None], connection: Connection, *arguments: object
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    work(connection, *arguments)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A fork server that starts here inherits that, so that none ends it in the seconds in which it imports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
