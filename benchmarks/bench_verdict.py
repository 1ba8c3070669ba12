"""How far the verdict can be trusted: autokd's own statistics and policy on made-up predictions with a known truth.

Parts: `equal` (distilling does nothing: how often does the verdict say distill?), `coverage` (how often do intervals of
95 % hold the truth?), `power` (distilling helps: how often is it said, and how strongly?), `selection` (by how much do
the chosen look too good?), `looks` (deciding again after more seeds) and `speed`. Shares are in percent, with the
Monte-Carlo error of two standard errors where the table says ±.
"""

from __future__ import annotations

import argparse
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy
from experiments import (
    COVERED,
    LOOKS,
    Cell,
    Contest,
    RunCell,
    covered,
    decided,
    equal_arms,
    looked_at_again,
    selected,
)
from fronts import FRONTS, Front
from simulated import KINDS, Chance, Kind, Outcome, repeated
from timing import interleave, ratio, spread, table

from autokd.decide.statistics import intervals

Shares = npt.NDArray[np.float64]
Row = dict[str, object]
C = TypeVar("C")
SEEDS = (3, 5)
ALLOWED, COVERAGE = 5.0, 93.0  # percent
POWER_OVER = ("near accuracies, other costs", "retention near its limit")
PARTS = ("equal", "coverage", "power", "selection", "looks", "speed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Repeat and print, part by part."""
    asked = _parse(arguments)
    print(f"seed {asked.seed}, numpy {np.__version__}, scipy {scipy.__version__}, Python {platform.python_version()}")
    parts = {
        "equal": equal,
        "coverage": coverage,
        "power": power,
        "selection": selection,
        "looks": looks,
        "speed": speed,
    }
    for part in asked.parts:
        parts[part](asked)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--runs", type=int, default=1000, help="repetitions of a cell; of coverage twice as many")
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000, 50_000], help="test images")
    parser.add_argument("--most-images", type=int, default=10_000, help="more are left out of equal")
    parser.add_argument("--look-images", type=int, default=2000, help="test images of looks")
    parser.add_argument("--fronts", nargs="+", choices=[front.name for front in FRONTS], help="default: all")
    parser.add_argument("--flips", type=float, default=0.3, help="share of the images on which a seed decides")
    parser.add_argument("--spread", type=float, default=0.005, help="standard deviation of a seed as a whole")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args(arguments)


# ---- distilling does nothing -----------------------------------------------------------------------------------


def equal(asked: argparse.Namespace) -> None:
    """Shares of distill for every front, size, number of seeds and way in which seeds differ."""
    cells = {}
    for front in _fronts(asked):
        for images in _moderate(asked):
            for kind, seeds, chance in _ways(asked):
                found = _repeated(equal_arms, RunCell(images, seeds, chance, front), asked)
                cells[front.name, f"{images:,}", f"{seeds} seeds, {kind}"] = 100 * found.mean(axis=0)
    print(f"\ndistilling does nothing, {asked.runs:,} runs a cell: % that say distill\n\n{_crossed(cells, '{0:.1f}')}")
    for preference, at in (("accuracy", 0), ("savings", 4)):
        says = max(each[at] for each in cells.values())
        error, held = _error(says, asked.runs), _held(says <= ALLOWED)
        print(f"\nlargest share with --prefer {preference} {says:.1f} % ± {error:.1f}; {held}")
    print("\nof these strong / the teacher is kept for want of a shown gain\n\n" + _crossed(cells, "{1:.1f} / {2:.1f}"))
    print(f"\n% if the twin were not asked where both arms have a pick\n\n{_crossed(cells, '{3:.1f}')}")
    print("\n% with --prefer savings: distill / because of the costs / of these strong\n")
    print(_crossed(cells, "{4:.1f} / {5:.1f} / {6:.1f}"))
    print("\n% with a teacher over the budget: distill / strong\n\n" + _crossed(cells, "{7:.1f} / {8:.1f}"))


def _crossed(cells: Mapping[tuple[str, str, str], Shares], form: str) -> str:
    """A table with one row for students and images and one column for each way of seeds."""
    rows: dict[tuple[str, str], Row] = {}
    for (students, images, way), shares in cells.items():
        row = rows.setdefault((students, images), {"students": students, "test images": images})
        row[way] = form.format(*shares)
    return table(rows.values())


# ---- intervals -------------------------------------------------------------------------------------------------


def coverage(asked: argparse.Namespace) -> None:
    """Coverage and mean width of the three intervals."""
    runs, rows, least = 2 * asked.runs, [], 100.0
    for images in asked.images:
        for kind, seeds, chance in _ways(asked):
            means = 100 * _repeated(covered, Cell(images, seeds, chance), asked, runs).mean(axis=0)
            hits, widths = means[: len(COVERED)], means[len(COVERED) :]
            least = min(least, *hits)
            row: Row = {"test images": f"{images:,}", "seeds": seeds, "seeds differ": kind}
            for name, hit, width in zip(COVERED, hits, widths, strict=True):
                row |= {name: f"{hit:.1f} ± {_error(hit, runs):.1f}", f"width of {name}, points": f"{width:.2f}"}
            rows.append(row)
    print(f"\n% of intervals of 95 % that hold the truth, {runs:,} repetitions a cell\n\n{table(rows)}")
    print(f"\nleast {least:.1f} %; {_held(least >= COVERAGE)}")


# ---- distilling helps ------------------------------------------------------------------------------------------


def power(asked: argparse.Namespace) -> None:
    """Shares of distill, and of strong verdicts, by the true gain."""
    for name in POWER_OVER:
        _power(next(front for front in FRONTS if front.name == name), asked)


def _power(front: Front, asked: argparse.Namespace) -> None:
    rows = []
    chance = Chance("both", asked.flips, asked.spread)
    for gain in (0.0, 0.003, 0.01, 0.03):
        for images in asked.images:
            row: Row = {"true gain, points": f"{100 * gain:.1f}", "test images": f"{images:,}"}
            for seeds in SEEDS:
                cell = RunCell(images, seeds, chance, replace(front, gain=gain))
                distill, strong, any_strong, unproven = 100 * _repeated(decided, cell, asked).mean(axis=0)
                row |= {
                    f"{seeds} seeds: distill": f"{distill:.1f} ± {_error(distill, asked.runs):.1f}",
                    f"{seeds} seeds: distill, strong": f"{strong:.1f}",
                    f"{seeds} seeds: any, strong": f"{any_strong:.1f}",
                    f"{seeds} seeds: teacher kept for want of a shown gain": f"{unproven:.1f}",
                }
            rows.append(row)
    print(f"\n% of {asked.runs:,} runs, students: {front.name}; seeds differ in both ways\n\n{table(rows)}")


def selection(asked: argparse.Namespace) -> None:
    """How much too good the chosen look."""
    rows = []
    for kind in KINDS:
        found = 100 * _repeated(selected, Contest(Chance(kind, asked.flips, asked.spread)), asked)
        means, errors = found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(len(found))
        cells = [f"{mean:+.3f} ± {2 * error:.3f}" for mean, error in zip(means, errors, strict=True)]
        names = (
            "best of 30 trials, validation",
            "confirmed from fresh seeds, test",
            "pick of 3 finalists, validation",
            "pick of 3 finalists, test",
            "its gain over a twin, test",
        )
        rows.append({"seeds differ": kind, **dict(zip(names, cells, strict=True))})
    print(f"\npoints above the truth, {asked.runs:,} repetitions, 6,000 validation images, all equal\n\n{table(rows)}")


# ---- looking again ---------------------------------------------------------------------------------------------


def looks(asked: argparse.Namespace) -> None:
    """Shares of runs that say it at any look: with free looks and with looks that cost."""
    rows, ever = [], np.zeros(3)
    for front in _fronts(asked):
        for kind in KINDS:
            cell = RunCell(asked.look_images, max(LOOKS), Chance(kind, asked.flips, asked.spread), front)
            found = _repeated(looked_at_again, cell, asked).reshape(asked.runs, 2, 3, len(LOOKS))
            first, (free, costly) = 100 * found[:, 0, :, 0].mean(axis=0), 100 * found.max(axis=3).mean(axis=0)
            ever = np.maximum(ever, costly)
            row: Row = {"students": front.name, "seeds differ": kind}
            whats = ("distill", "over a direct pick", "gain above 0")
            for what, *shares in zip(whats, first, free, costly, strict=True):
                row[what] = "{:.1f} / {:.1f} / {:.1f}".format(*shares)
            rows.append(row)
    steps = ", ".join(map(str, LOOKS))
    print(f"\ndistilling does nothing, {asked.runs:,} runs, {asked.look_images:,} test images, looks at {steps} seeds:")
    print("% at the first look / at any of six looks at 95 % / at any of six looks that cost\n\n" + table(rows))
    print(f"\nlargest share of distill with looks that cost {ever[0]:.1f} %; {_held(ever[0] <= ALLOWED)}")
    print(f"where both arms have a pick {ever[1]:.1f} %; {_held(ever[1] <= ALLOWED)}")


# ---- speed -----------------------------------------------------------------------------------------------------


def speed(asked: argparse.Namespace) -> None:
    """Times of the statistics as multiples of a bare mean over the same array."""
    rng = np.random.default_rng(asked.seed)
    a, b = (rng.random((10, max(asked.images))) < accuracy for accuracy in (0.93, 0.92))
    teacher = rng.random((1, max(asked.images))) < 0.95
    seconds = interleave(
        {
            "bare mean": lambda: a.mean(),
            "difference": lambda: intervals.difference(a, b).interval,
            "retention": lambda: intervals.retention(a, teacher).interval,
            "accuracy": lambda: intervals.accuracy(a),
        },
        rounds=9,
    )
    bare = seconds.pop("bare mean")
    rows: list[Row] = [
        {"statistic": name, "times a bare mean": ratio(took, bare), "middle half": spread(took, bare)}
        for name, took in seconds.items()
    ]
    slowest = max(max(took) for took in seconds.values())
    print(f"\n{max(asked.images):,} images, 10 seeds\n\n{table(rows)}")
    print(f"\nless than a second: {_held(slowest < 1)}")


# ---- helpers ---------------------------------------------------------------------------------------------------


def _fronts(asked: argparse.Namespace) -> list[Front]:
    return [front for front in FRONTS if not asked.fronts or front.name in asked.fronts]


def _moderate(asked: argparse.Namespace) -> list[int]:
    return [images for images in asked.images if images <= asked.most_images]


def _ways(asked: argparse.Namespace) -> list[tuple[Kind, int, Chance]]:
    return [(kind, seeds, Chance(kind, asked.flips, asked.spread)) for seeds in SEEDS for kind in KINDS]


def _repeated(
    one: Callable[[C, np.random.Generator], Outcome], cell: C, asked: argparse.Namespace, runs: int = 0
) -> Shares:
    return repeated(one, cell, runs or asked.runs, asked.seed, asked.workers)


def _error(percent: float, runs: int) -> float:
    """Two standard errors of a share, in points."""
    return 2 * math.sqrt(percent * (100 - percent) / runs)


def _held(holds: bool) -> str:
    return "the bound is held" if holds else "the bound is MISSED"


if __name__ == "__main__":
    main()
