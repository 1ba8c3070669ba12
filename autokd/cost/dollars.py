"""From requests per second, or from parameters, to US dollars per 1,000 requests (docs/cost.md).

Without a volume each second of a replica is paid for, and on average `utilization` of its capacity is used:

    cost_usd_per_1k = price_usd_per_hour * 1000 / (3600 * capacity_rps * utilization)

With a volume the bill is that of whole replicas, enough of them for the busiest hour:

    replicas        = max(min_replicas, ceil(peak_rps / (capacity_rps * target_utilization)))
    monthly_usd     = replicas * price_usd_per_hour * 730
    cost_usd_per_1k = monthly_usd / requests_per_month * 1000

A replica that occupies several accelerators costs their sum. Billed by use there are no replicas:

    billed seconds  = the seconds of a request that is served alone, at least the minimum, rounded up to the increment
    cost_usd_per_1k = 1000 * (billed seconds * price per second + price per request)

Priced by parameters instead, a model costs `usd_per_1k_per_billion` (0.10) dollars per 1,000 requests for every billion
parameters. The teacher is priced under `CostModel.for_teacher`.
"""

from __future__ import annotations

import math

from autokd.records import CostModel, Interval, PayPerUse

HOURS_PER_MONTH = 730
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
_ROUNDING = 1e-12  # relative; floating-point error must not add a replica


def cost_usd_per_1k(capacity_rps: float, model: CostModel) -> float:
    """Dollars per 1,000 requests of a model that serves `capacity_rps`; infinite for a capacity of zero."""
    if capacity_rps <= 0:
        return math.inf
    if model.requests_per_month is None:
        per_second = replica_usd_per_hour(model) / 3600
        return per_second * 1000 / (capacity_rps * model.utilization)
    return monthly_usd(capacity_rps, model) / model.requests_per_month * 1000


def cost_interval(capacity: Interval, model: CostModel) -> Interval:
    """Dollars per 1,000 requests for a capacity interval; replicas are rounded up at both ends."""
    return Interval(
        mean=cost_usd_per_1k(capacity.mean, model),
        low=cost_usd_per_1k(capacity.high, model),
        high=cost_usd_per_1k(capacity.low, model),
        level=capacity.level,
    )


def pay_per_use_usd_per_1k(seconds: float, rate: PayPerUse) -> float:
    """Dollars per 1,000 requests of which each takes so many seconds alone, billed by use."""
    steps = math.ceil(seconds * 1000 / rate.increment_ms * (1 - _ROUNDING))
    billed = max(steps * rate.increment_ms, rate.minimum_ms) / 1000
    return 1000 * (billed * rate.usd_per_second + rate.usd_per_request)


def seconds_for(cost: float, rate: PayPerUse) -> float:
    """The longest time of a request, seconds, that is billed at `cost` dollars per 1,000 or less; 0 if none is."""
    billed = max(0.0, (cost / 1000 - rate.usd_per_request) / rate.usd_per_second) * 1000
    if billed < rate.minimum_ms * (1 - _ROUNDING):
        return 0.0
    return math.floor(billed / rate.increment_ms * (1 + _ROUNDING)) * rate.increment_ms / 1000


def serving_cost(capacity: Interval, alone_seconds: Interval | None, model: CostModel) -> Interval:
    """Dollars per 1,000 requests in the form of a cost model.

    capacity: requests per second of one replica, 0 where not even a request alone meets the latency limit;
    alone_seconds: of a request that is served alone. Raises ValueError where requests are billed by use and it is not
    known how long one takes alone.
    """
    rate = model.pay_per_use
    if rate is None or capacity.mean <= 0:
        return cost_interval(capacity, model)
    if alone_seconds is None:
        raise ValueError("billing by use needs the seconds of a request that is served alone")
    mean, low, high = (pay_per_use_usd_per_1k(getattr(alone_seconds, end), rate) for end in ("mean", "low", "high"))
    return Interval(mean=mean, low=low, high=high, level=alone_seconds.level)


def capacity_for(cost: float, model: CostModel) -> float:
    """The lowest capacity, requests per second, that serves at `cost` or less; infinite if none does."""
    if model.requests_per_month is None:
        return replica_usd_per_hour(model) * 1000 / (3600 * cost * model.utilization) if cost > 0 else math.inf
    month = replica_usd_per_hour(model) * HOURS_PER_MONTH
    affordable = math.floor(cost * model.requests_per_month / 1000 / month * (1 + _ROUNDING))
    if affordable < model.min_replicas:
        return math.inf
    return _peak_rps(model, model.requests_per_month) / (affordable * model.target_utilization)


def monthly_usd(capacity_rps: float, model: CostModel) -> float:
    """The bill of one month of `model.requests_per_month`; infinite for a capacity of zero.

    Raises ValueError if the cost model has no volume.
    """
    if capacity_rps <= 0:
        return math.inf
    return replicas(capacity_rps, model) * replica_usd_per_hour(model) * HOURS_PER_MONTH


def replicas(capacity_rps: float, model: CostModel) -> int:
    """Replicas for the peak, at least `min_replicas`; raises ValueError without a volume."""
    return max(model.min_replicas, math.ceil(unrounded_replicas(capacity_rps, model) * (1 - _ROUNDING)))


def unrounded_replicas(capacity_rps: float, model: CostModel) -> float:
    """Replicas for the peak before rounding up; raises ValueError without a volume."""
    if model.requests_per_month is None:
        raise ValueError("a fleet needs a request volume: set requests_per_month")
    return _peak_rps(model, model.requests_per_month) / (capacity_rps * model.target_utilization)


def _peak_rps(model: CostModel, requests_per_month: float) -> float:
    """Requests per second of the busiest hour."""
    return requests_per_month / SECONDS_PER_MONTH * model.peak_to_mean


def replica_usd_per_hour(model: CostModel) -> float:
    """The price of all accelerators (or machines) of one replica."""
    return model.price_usd_per_hour * model.accelerators_per_replica


def params_cost(parameters: int, model: CostModel) -> float:
    """Dollars per 1,000 requests by parameters alone: 1 B at $0.10, 100 M at $0.01."""
    return parameters / 1e9 * model.usd_per_1k_per_billion
