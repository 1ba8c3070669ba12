"""How far the verdict can be trusted: autokd's own statistics and policy on made-up predictions with a known truth.

Parts: `equal` (distilling does nothing: how often does the verdict say distill?), `coverage` (how often do intervals of
95 % hold the truth?), `power` (distilling helps: how often is it said, and how strongly?), `reliability` (does a repeat
of the confirmation say the same as often as the verdict says it would?), `selection` (by how much do
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
    Confirmed,
    Contest,
    RunCell,
    covered,
    decided,
    equal_arms,
    looked_at_again,
    relied_on,
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
GAINS = (0.0, 0.003, 0.01, 0.03)  # of distilling, where reliability is asked for
POWER_OVER = ("near accuracies, other costs", "retention near its limit")
# seeds of each finalist, and factors on the standard deviation between them
UNEQUAL = (
    ((3,) * 5, (2.0, 2.0, 1.0, 1.0, 1.0)),
    ((3,) * 5, (2.0, 1.0, 1.0, 1.0, 1.0)),
    ((8, 8, 2, 2, 2), (1.0,) * 5),
    ((8, 2, 8, 2, 2), (1.0, 2.0, 1.0, 1.0, 1.0)),
    ((2, 2, 8, 8, 2), (2.0, 2.0, 1.0, 1.0, 1.0)),
)
SPREADS = (0.002, 0.004)  # of a seed as a whole, for which power and reliability are promised
PARTS = ("equal", "coverage", "power", "reliability", "selection", "looks", "speed")


def main(arguments: Sequence[str] | None = None) -> None:
    """Repeat and print, part by part."""
    asked = _parse(arguments)
    print(f"seed {asked.seed}, numpy {np.__version__}, scipy {scipy.__version__}, Python {platform.python_version()}")
    parts = {
        "equal": equal,
        "coverage": coverage,
        "power": power,
        "reliability": reliability,
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
    rows, least = [], 100.0
    for images in asked.images:
        for kind, seeds, chance in [*_ways(asked, (2,)), *_ways(asked)]:
            cell = Confirmed(images, seeds, chance)
            least = min(least, _covered(rows, asked, cell, {"seeds": f"{seeds}", "seeds differ": kind}))
        for seeds_of, factors in UNEQUAL:
            chance = Chance("both", asked.flips, asked.spread)
            cell = Confirmed(images, 0, chance, seeds_of, factors)
            how = f"both, by {', '.join(f'{factor:g}' for factor in factors)}"
            told = {"seeds": ", ".join(map(str, seeds_of)), "seeds differ": how}
            least = min(least, _covered(rows, asked, cell, told))
    print(
        f"\n% of intervals of 95 % that hold the truth, {2 * asked.runs:,} repetitions a cell, five finalists, of which"
    )
    print(f"the first two are compared\n\n{table(rows)}\n\nleast {least:.1f} %; {_held(least >= COVERAGE)}")


def _covered(rows: list[Row], asked: argparse.Namespace, cell: Confirmed, told: Row) -> float:
    """The least coverage of a cell, whose row is added."""
    runs = 2 * asked.runs
    means = 100 * _repeated(covered, cell, asked, runs).mean(axis=0)
    hits, widths, alone = means[: len(COVERED)], means[len(COVERED) : -1], means[-1]
    row: Row = {"test images": f"{cell.images:,}", **told}
    for name, hit, width in zip(COVERED, hits, widths, strict=True):
        row |= {name: f"{hit:.1f} ± {_error(hit, runs):.1f}", f"width of {name}, points": f"{width:.2f}"}
    row["width of difference by the pair alone"] = f"{alone:.2f}"
    rows.append(row)
    return float(min(hits))


# ---- distilling helps ------------------------------------------------------------------------------------------


def power(asked: argparse.Namespace) -> None:
    """Shares of distill, and of strong verdicts, by the true gain."""
    for name in POWER_OVER:
        _power(next(front for front in FRONTS if front.name == name), asked)


def _power(front: Front, asked: argparse.Namespace) -> None:
    rows = []
    for gain in (0.0, 0.003, 0.005, 0.01, 0.03):
        for images in asked.images:
            row: Row = {"true gain, points": f"{100 * gain:.1f}", "test images": f"{images:,}"}
            for deviation in SPREADS:
                cell = RunCell(images, SEEDS[0], Chance("both", asked.flips, deviation), replace(front, gain=gain))
                shown, distill, strong, any_strong = 100 * _repeated(decided, cell, asked).mean(axis=0)
                row |= {
                    f"{100 * deviation:g}: gain shown": f"{shown:.1f} ± {_error(shown, asked.runs):.1f}",
                    f"{100 * deviation:g}: distill": f"{distill:.1f}",
                    f"{100 * deviation:g}: distill, strong": f"{strong:.1f}",
                    f"{100 * deviation:g}: any, strong": f"{any_strong:.1f}",
                }
            rows.append(row)
    print(f"\n% of {asked.runs:,} runs with {SEEDS[0]} seeds, students: {front.name}")
    print(f"columns: seeds differ by so many points as a whole\n\n{table(rows)}")


def reliability(asked: argparse.Namespace) -> None:
    """Whether repeats say the same as often as they are said to, and whether more is lost than was at stake."""
    found = []
    for front in _fronts(asked):
        for gain in GAINS:
            for images in _moderate(asked):
                for deviation in SPREADS:
                    chance = Chance("both", asked.flips, deviation)
                    cell = RunCell(images, SEEDS[0], chance, replace(front, gain=gain))
                    found.append(_repeated(relied_on, cell, asked))
    said, strong, same, beyond = np.concatenate(found).T
    rows: list[Row] = []
    for low, high in (
        (0.0, 0.5),
        (0.5, 0.6),
        (0.6, 0.7),
        (0.7, 0.8),
        (0.8, 0.9),
        (0.9, 0.95),
        (0.95, 0.99),
        (0.99, 1.01),
    ):
        within = (said >= low) & (said < high)
        if within.any():
            rows.append(
                {
                    "repeatability": f"{low:g} to {min(high, 1):g}",
                    "runs": f"{within.sum():,}",
                    "told, %": f"{100 * said[within].mean():.1f}",
                    "came again, %": f"{100 * same[within].mean():.1f}",
                }
            )
    print(
        f"\nrepeatability that is said, and how often an independent repeat agrees; {len(said):,} runs\n\n{table(rows)}"
    )
    again, middle = _percent(same[strong > 0]), _percent(same[(said >= 0.6) & (said < 0.8)])
    lost = _percent(beyond[~np.isnan(beyond)])
    print(f"\n{100 * strong.mean():.0f} % are strong; of these {again:.1f} % come again; {_held(again >= 90)}")
    print(f"of those between 0.6 and 0.8 {middle:.1f} % come again; {_held(60 <= middle <= 80)}")
    print(f"the option that was not taken is better by more than is at stake in {lost:.1f} %; {_held(lost <= 5)}")


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


def _ways(asked: argparse.Namespace, numbers: Sequence[int] = SEEDS) -> list[tuple[Kind, int, Chance]]:
    return [(kind, seeds, Chance(kind, asked.flips, asked.spread)) for seeds in numbers for kind in KINDS]


def _repeated(
    one: Callable[[C, np.random.Generator], Outcome], cell: C, asked: argparse.Namespace, runs: int = 0
) -> Shares:
    return repeated(one, cell, runs or asked.runs, asked.seed, asked.workers)


def _percent(hits: Shares) -> float:
    return 100 * float(hits.mean()) if hits.size else math.nan


def _error(percent: float, runs: int) -> float:
    """Two standard errors of a share, in points."""
    return 2 * math.sqrt(percent * (100 - percent) / runs)


def _held(holds: bool) -> str:
    return "the bound is held" if holds else "the bound is MISSED"


if __name__ == "__main__":
    main()
