"""How long a worker process takes until it can train: spawned, as Python starts processes, or as autokd starts them.

A round starts so many processes at once and waits until each has imported what a training needs. The fork server that
autokd's are forked from imports it once, in the first round, which is not counted.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection

from timing import about, interleave, ratio, spread, table

from autokd.processes import start_process


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Time both ways in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args(arguments)
    rows = []
    for count in asked.processes:
        sides = {"spawned": lambda n=count: spawned(n), "forked": lambda n=count: forked(n)}
        seconds = interleave(sides, asked.rounds)
        rows.append(
            {
                "processes": count,
                "spawned / forked": ratio(seconds["spawned"], seconds["forked"]),
                "middle half": spread(seconds["spawned"], seconds["forked"]),
            }
        )
    print(about("cpu"))
    print(table(rows))
    return rows


def get_ready(connection: Connection) -> None:
    """What a worker imports before its first training."""
    importlib.import_module("autokd.tune.worker")
    connection.send("ready")


def spawned(count: int) -> None:
    """As many processes as that, each a new interpreter."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=get_ready, args=(there,)) for _, there in pipes]
    for process in processes:
        process.start()
    for here, _ in pipes:
        here.recv()
    for process in processes:
        process.join()


def forked(count: int) -> None:
    """As many processes as that, as the local engine starts them."""
    started = [start_process(get_ready) for _ in range(count)]
    for connection, _ in started:
        connection.recv()
    for _, process in started:
        process.join()


if __name__ == "__main__":
    main()
