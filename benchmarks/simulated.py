"""Made-up predictions with a known truth, and experiments that are repeated on them.

An image has a hardness, the same for everybody; a student gets it right where the hardness is below the student's
accuracy. Students differ in which images are hard for them, and seeds differ in one of three ways. Whatever the way,
the mean over all images and all seeds is the accuracy that was asked for: that is the truth.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["image by image", "as a whole", "both"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Correct = npt.NDArray[np.bool_]
Hardness = npt.NDArray[np.float32]
Outcome = tuple[float, ...]
C = TypeVar("C")
CHUNK = 50  # repetitions that a process is given at a time


@dataclass(frozen=True)
class Chance:
    """How trainings from different seeds differ."""

    kind: Kind
    flips: float = 0.3  # share of the images on which every seed throws its own dice
    spread: float = 0.005  # standard deviation of a seed's accuracy as a whole


def hardness(rng: np.random.Generator, images: int) -> Hardness:
    """What share of all students an image is too hard for; [images]."""
    return rng.random(images, dtype=np.float32)


def with_own(rng: np.random.Generator, shared: Hardness, share: float) -> Hardness:
    """The same images for a student to whom a share of them is as hard as any other image."""
    own = rng.random(len(shared), dtype=np.float32) < share
    return np.where(own, rng.random(len(shared), dtype=np.float32), shared)


def outcomes(rng: np.random.Generator, accuracy: float, hard: Hardness, seeds: int, chance: Chance) -> Correct:
    """Who gets what right; [seeds, images]."""
    deviation = np.zeros((seeds, 1)) if chance.kind == "image by image" else rng.normal(0, chance.spread, (seeds, 1))
    limit = (accuracy + deviation).astype(np.float32)
    if chance.kind == "as a whole":
        return hard < limit
    dice = rng.random((seeds, len(hard)), dtype=np.float32)
    # below `flips` a throw says that the seed decides, and, divided by it, is a uniform number of its own
    return np.where(dice < chance.flips, dice < chance.flips * limit, hard < limit)


def repeated(
    one: Callable[[C, np.random.Generator], Outcome], cell: C, runs: int, seed: int, workers: int = 1
) -> npt.NDArray[np.float64]:
    """Outcomes of `runs` independent repetitions of a cell, [runs, values]; the same for any number of workers."""
    chunks = [range(start, min(start + CHUNK, runs)) for start in range(0, runs, CHUNK)]
    jobs = [(one, cell, seed, chunk) for chunk in chunks]
    if workers == 1:
        found = [_chunk(job) for job in jobs]
    else:
        with ProcessPoolExecutor(workers) as pool:
            found = list(pool.map(_chunk, jobs))
    return np.array([outcome for chunk in found for outcome in chunk], dtype=np.float64)


def _chunk(job: tuple[Callable[[Any, np.random.Generator], Outcome], Any, int, Sequence[int]]) -> list[Outcome]:
    one, cell, seed, numbers = job
    name = zlib.crc32(f"{one.__name__} {cell}".encode())
    return [one(cell, np.random.default_rng((seed, name, number))) for number in numbers]
