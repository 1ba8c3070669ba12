"""How often a trial is stopped that would have ended better, replayed on students that were really trained.

Two trials of one student differ in their learning rate only (record_students.py); each is compared with the other one,
as autokd compares the trials of a student. A stop is wrong where the stopped trial would have ended more than 0.3
points above the other on validation. Only students that end within --within points of a table's best are replayed,
because those are tried. Beside autokd's own rungs stand rungs from a tenth of the epochs on, each at twice as many.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench_screening import EQUAL, Trained, read_tables
from timing import table

from autokd.tune.pruning import is_behind, rungs

Curve = tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Replay and print."""
    asked = _parse(arguments)
    rows = [
        _row(name, way, at, _pairs(students, asked.within / 100))
        for path in asked.tables
        for name, students in read_tables(path).items()
        for way, at in {"from half on": rungs, "from a tenth on": _doubling}.items()
    ]
    print(table(rows))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", default=[Path(__file__).parent / "students.csv"])
    parser.add_argument("--within", type=float, default=4.0, help="points of the best student")
    return parser.parse_args(arguments)


def _doubling(epochs: int) -> list[int]:
    """A tenth of the epochs, and twice as many each time."""
    first = max(1, math.ceil(epochs / 10))
    return [first * 2**k for k in range(math.ceil(math.log2(epochs / first)))]


def _pairs(students: Sequence[Trained], within: float) -> list[tuple[Curve, Curve]]:
    """Each trial, with the other of its student."""
    best = max(student.truth for student in students)
    return [pair for student in students if student.truth >= best - within for pair in _both_ways(student)]


def _both_ways(student: Trained) -> Iterator[tuple[Curve, Curve]]:
    curves = list(student.curves.values())
    return ((own, other) for own in curves for other in curves if own is not other)


def _row(
    name: str, way: str, at: Callable[[int], list[int]], pairs: Sequence[tuple[Curve, Curve]]
) -> dict[str, object]:
    stopped = wrong = saved = 0
    for own, other in pairs:
        epochs = len(own)
        behind = [epoch for epoch in at(epochs) if is_behind(own[epoch - 1], [other[epoch - 1]], epoch / epochs)]
        if behind:
            stopped, saved = stopped + 1, saved + epochs - behind[0]
            wrong += own[-1] > other[-1] + EQUAL
    in_all = sum(len(own) for own, _ in pairs)
    return {
        "table": name,
        "rungs": way,
        "trials": len(pairs),
        "stopped": stopped,
        "wrongly": wrong,
        "epochs saved": f"{saved / max(1, in_all):.0%}",
    }


if __name__ == "__main__":
    main()
