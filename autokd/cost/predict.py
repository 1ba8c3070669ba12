"""Serving cost predicted from a student's size, so that not every student of a long list has to be measured.

A forward pass takes time for its arithmetic, for what it writes and reads, and for every layer that is launched:

    cost = a * MACs + b * activations + c * parameters + d * layers,    a, b, c, d >= 0

with the least squared relative error (non-negative least squares, Lawson and Hanson 1974) over students that were
measured. The margin is taken from leaving each of these out in turn, never from the fit itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

Array = npt.NDArray[np.float64]

MARGIN_FACTOR = 2.0  # the stated margin is so many times the largest error that was seen
FEWEST = 8  # measured students that a prediction needs


class Size(Protocol):
    """What a prediction looks at."""

    @property
    def macs(self) -> int:
        """Multiply-adds for one image."""

    @property
    def activations(self) -> int:
        """Output elements of convolutional and linear layers for one image."""

    @property
    def parameters(self) -> int:
        """Weights."""

    @property
    def layers(self) -> int:
        """Modules with weights of their own."""


@dataclass(frozen=True)
class Prediction:
    """A fitted formula and how far it was off on students that it had not seen."""

    coefficients: tuple[float, float, float, float]
    errors: tuple[float, ...]  # measured / predicted - 1 of every student, predicted from all others

    @property
    def median_error(self) -> float:
        """Half of the students were further off than this, in either direction."""
        return float(np.median(np.abs(self.errors)))

    @property
    def largest_error(self) -> float:
        """How far the worst of them was off."""
        return float(np.max(np.abs(self.errors)))

    @property
    def margin(self) -> float:
        """A student is refused unmeasured only where its prediction is above the budget by more than this share."""
        return MARGIN_FACTOR * self.largest_error

    def cost(self, size: Size) -> float:
        """Predicted cost, in the unit of the costs that were fitted."""
        return float(_features(size) @ np.asarray(self.coefficients))

    def refuses(self, size: Size, max_cost: float) -> bool:
        """Whether the student is certainly above the budget, by the stated margin."""
        return self.cost(size) > max_cost * (1 + self.margin)


def fit(sizes: Sequence[Size], costs: Sequence[float]) -> Prediction:
    """The formula for measured students; raises ValueError for fewer than FEWEST of them."""
    if len(sizes) < FEWEST or len(sizes) != len(costs):
        raise ValueError(f"a prediction needs {FEWEST} measured students or more")
    features, known = np.stack([_features(size) for size in sizes]), np.asarray(costs, np.float64)
    rows = np.arange(len(known))
    left_out = [features[i] @ _solved(features[rows != i], known[rows != i]) for i in rows]
    errors = known / np.maximum(left_out, np.finfo(float).tiny) - 1
    return Prediction(tuple(_solved(features, known)), tuple(map(float, errors)))


def spread_out(sizes: Mapping[str, Size], count: int) -> list[str]:
    """`count` students that cover the sizes: each next one is the farthest, in logarithms, from those already taken."""
    names = list(sizes)
    if len(names) <= count:
        return names
    places = np.log(np.stack([np.maximum(_features(sizes[name]), 1) for name in names]))
    places = (places - places.mean(0)) / np.maximum(places.std(0), 1e-9)
    taken = [int(np.argmin(places.sum(1)))]
    distance = np.linalg.norm(places - places[taken[0]], axis=1)
    while len(taken) < count:
        taken.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(places - places[taken[-1]], axis=1))
    return [names[i] for i in sorted(taken)]


def _features(size: Size) -> Array:
    return np.array([size.macs, size.activations, size.parameters, size.layers], np.float64)


def _solved(features: Array, known: Array) -> Array:
    """Coefficients with the least squared relative error; columns are scaled so that none drowns the others."""
    scale = np.maximum(np.median(features, axis=0), 1e-12)
    solution, _ = nnls(features / scale / known[:, None], np.ones(len(known)))
    solved: Array = solution / scale
    return solved
