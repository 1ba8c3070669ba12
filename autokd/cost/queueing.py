"""How many requests per second a replica serves while their p95 latency stays within a limit.

The server takes up to `batch_size` waiting requests at once, never waits for more to come, and needs a time
that depends on how many it took. Requests arrive independently of each other (Poisson). With a batch of one
this is the M/D/1 queue. A seeded simulation gives the p95 of the sojourn (waiting and service) at a rate;
bisection over the rate, always with the same draws, gives the capacity.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from autokd.cost.timing_stats import percentile

REQUESTS = 5000  # simulated for every rate
STEPS = 2**12  # rates from 0 to the highest throughput: finer than the simulation's own noise


def capacity_within(seconds_by_batch: Mapping[int, float], max_latency_ms: float, seed: int = 0) -> float:
    """The highest arrival rate, requests per second, whose p95 sojourn meets the limit.

    `seconds_by_batch` holds measured service times for some batch sizes, 1 and the largest among them. The
    answer is 0 where a request that is served alone and at once already misses the limit.
    """
    service = service_times(seconds_by_batch)
    limit = max_latency_ms / 1000
    if service[0] > limit:
        return 0.0
    arrivals = _unit_arrivals(seed)
    highest = max((index + 1) / seconds for index, seconds in enumerate(service))

    def p95(step: int) -> float:
        rate = highest * step / STEPS
        return p95_sojourn(service, [moment / rate for moment in arrivals])

    return highest * bisect_right(range(1, STEPS), limit, key=p95) / STEPS


def service_times(seconds_by_batch: Mapping[int, float]) -> list[float]:
    """Seconds for a batch of 1, 2, ... up to the largest measured size, linear between measured sizes.

    Raises ValueError where size 1 was not measured.
    """
    sizes = sorted(seconds_by_batch)
    if not sizes or sizes[0] != 1:
        raise ValueError("the service time of a single request is missing")
    measured = [seconds_by_batch[size] for size in sizes]
    return [float(seconds) for seconds in np.interp(range(1, sizes[-1] + 1), sizes, measured)]


def p95_sojourn(service: Sequence[float], arrivals: Sequence[float]) -> float:
    """Seconds from arrival to answer that 95 % of the requests take at most, given when they arrive."""
    sojourns: list[float] = []
    free_at, first = 0.0, 0
    while first < len(arrivals):
        start = max(free_at, arrivals[first])
        waiting = bisect_right(arrivals, start, first) - first
        taken = min(waiting, len(service))
        free_at = start + service[taken - 1]
        sojourns.extend(free_at - arrival for arrival in arrivals[first : first + taken])
        first += taken
    return percentile(sojourns, 95)


def _unit_arrivals(seed: int) -> list[float]:
    """Moments of arrival at one request per second: sums of exponential gaps."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, no secret
    return list(accumulate(draw.expovariate(1.0) for _ in range(REQUESTS)))
