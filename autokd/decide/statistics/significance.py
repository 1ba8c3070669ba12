"""Tests of paired differences, and the correction for asking many of them; vectorised over classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autokd.records import LEVEL

Floats = NDArray[np.float64]

ERROR = 1 - LEVEL  # adjusted p below which a difference is called shown


def mcnemar(a: ArrayLike, b: ArrayLike) -> Floats:
    """Exact two-sided McNemar test: are `a` and `b` discordant images split as a fair coin splits them?

    `a` counts images that only the first model has right, `b` those that only the second has; any equal shapes, and
    the p values have that shape. Doubled tail of the binomial distribution, as scipy.stats.binomtest gives at 0.5.
    """
    from scipy.special import bdtr

    first, second = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    tail = bdtr(np.minimum(first, second).astype(np.float64), first + second, 0.5)
    return np.asarray(np.minimum(2 * tail, 1.0))


def holm(p_values: ArrayLike) -> Floats:
    """P values adjusted so that all tests together err at most as often as one (Holm, Scand. J. Statistics 1979); [n].

    The smallest is multiplied by n, the next by n - 1 and so on; none falls below one before it, none exceeds 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
