"""What a list of timings says: a median with its interval, and percentiles. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autokd.records import Interval, Latency

P99_SAMPLES = 100  # with fewer the 99th percentile is the largest value


def median_interval(values: Sequence[float]) -> Interval:
    """The median, between the two order statistics that hold it in at least 95 % of samples.

    The number of values below the true median is binomial(n, 1/2), whatever their distribution, so the k-th
    smallest and k-th largest hold it with probability 1 - 2 P(binomial <= k - 1). Below six values no k
    reaches 95 % and the ends are infinite. Raises ValueError for no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    median = percentile(ordered, 50)
    k = _rank(len(ordered))
    if k == 0:
        return Interval(mean=median, low=-math.inf, high=math.inf)
    return Interval(mean=median, low=ordered[k - 1], high=ordered[-k])


def relative_half_width(interval: Interval) -> float:
    """Half of the interval's width as a fraction of its middle value."""
    return (interval.high - interval.low) / 2 / interval.mean


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values lie, interpolated between neighbours."""
    return float(np.percentile(values, percent))


def latency(seconds: Sequence[float]) -> Latency:
    """Percentiles in milliseconds of timings in seconds; no p99 of fewer than 100."""
    p50, p95, p99 = (np.percentile(seconds, (50, 95, 99)) * 1000).tolist()
    return Latency(p50=p50, p95=p95, p99=p99 if len(seconds) >= P99_SAMPLES else None)


def _rank(n: int) -> int:
    """The largest k whose order statistics hold the median with 95 %; 0 where none does."""
    from scipy.stats import binom

    return int(binom.ppf(0.025, n, 0.5))
