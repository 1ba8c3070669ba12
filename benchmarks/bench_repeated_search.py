"""The same search again and again with other seeds: how much of what it recommends is chance.

Teacher and cache are shared, and costs are measured once (`autokd measure`), so that searches differ by their seed
only: that of the soft labels' views, of the screening and of all trainings. Runs are kept in --work, so a stopped
benchmark goes on where it was. Options that are not its own are passed to every search.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from timing import about, table

from autokd.records import Report
from autokd.runs.store import REPORT

COST, POINTS = 0.10, 0.5  # within which recommendations are alike


class Recommended(NamedTuple):
    """What a search says to serve; costs are those of the shared file."""

    verdict: str
    strength: str
    student: str
    cost: float  # US dollars per 1,000 requests
    accuracy: float


def main(arguments: Sequence[str] | None = None) -> list[Recommended]:
    """Search, and print the table."""
    asked, options = _parse(arguments)
    asked.work.mkdir(parents=True, exist_ok=True)
    costs = asked.work / "costs.json"
    if not costs.exists():
        sizes = ["--image-size", str(asked.image_size), "--classes", str(asked.classes)]
        _autokd("measure", asked.teacher, "--space", asked.space, *sizes, "--output", str(costs))
    common = ["--teacher", asked.teacher, "--max-cost", str(asked.max_cost), "--space", asked.space]
    common += ["--image-size", str(asked.image_size)]
    common += ["--costs", str(costs), "--cache-dir", str(asked.work / "cache"), *options]
    found = []
    for seed in range(asked.searches):
        run = asked.work / f"seed-{seed}"
        if not (run / "report.json").exists():
            again = ["--resume"] if run.exists() else []
            _autokd("search", *common, "--seed", str(1000 * seed), "--output", str(run), *again)
        found.append(_recommended(REPORT.read(run)))
    print(about("cpu"))
    print(f"teacher {asked.teacher}, {asked.searches} searches {' '.join(options)}\n")
    print(table([one._asdict() | {"accuracy": f"{one.accuracy:.2%}", "cost": f"{one.cost:.3g}"} for one in found]))
    print("\n" + alike(found))
    return found


def alike(found: Sequence[Recommended]) -> str:
    """How many recommendations lie within 10 % of their median cost and 0.5 points of their median accuracy."""
    cost, accuracy = (float(np.median([getattr(one, name) for one in found])) for name in ("cost", "accuracy"))
    near = [abs(one.cost / cost - 1) <= COST and abs(one.accuracy - accuracy) * 100 <= POINTS + 1e-9 for one in found]
    verdicts = ", ".join(f"{verdict} {count}" for verdict, count in Counter(one.verdict for one in found).most_common())
    return (
        f"{sum(near)} of {len(found)} within {COST:.0%} of the median cost and {POINTS} points of the median accuracy; "
        f"{verdicts}"
    )


def _recommended(report: Report) -> Recommended:
    option = report.taken or report.options.teacher
    return Recommended(report.verdict, report.strength, option.student, option.cost_usd_per_1k, option.accuracy.mean)


def _autokd(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "autokd", *arguments], check=False)
    if done.returncode not in (0, 3):  # 3: nothing meets the limits, which is an answer
        sys.exit(f"autokd {' '.join(arguments)} ended with exit code {done.returncode}")


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of costs, cache and runs")
    parser.add_argument("--teacher", default="resnet152")
    parser.add_argument("--max-cost", type=float, default=0.01)
    parser.add_argument("--space", default="default")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--searches", type=int, default=10)
    return parser.parse_known_args(arguments)


if __name__ == "__main__":
    main()
