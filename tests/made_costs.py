"""A file of `autokd measure` without measuring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from made_evidence import made_cost_model

from autokd.cost.dollars import cost_interval
from autokd.records import Interval, Latency, MeasuredCosts, Reading


def made_costs(capacities: Mapping[str, float], spread: float = 0.02, **changes: Any) -> MeasuredCosts:
    """Requests per second by model, the reference first; a request alone takes as long as its share of a batch."""
    model = made_cost_model(runtime="onnxruntime", threads=2)
    costs = MeasuredCosts(
        created="2026-11-29T12:00:00+00:00",
        versions={"autokd": "0.1.0"},
        hardware={"cpu": "AMD EPYC 9R14"},
        classes=10,
        reference=next(iter(capacities)),
        reference_size=32,
        max_latency_ms=None,
        cost_model=model,
        readings={},
    )
    readings = {}
    for name, mean in capacities.items():
        capacity = Interval(mean=mean, low=mean * (1 - spread), high=mean * (1 + spread))
        readings[name] = Reading(
            model=name,
            capacity_rps=mean,
            capacity_interval=capacity,
            latency_ms=Latency(p50=1000 / mean, p95=1100 / mean, p99=None),
            cost_usd_per_1k=cost_interval(capacity, model),
            noisy=False,
            batch_size=1,
            rounds=6,
            alone_seconds=Interval(mean=1 / mean, low=1 / capacity.high, high=1 / capacity.low),
        )
    return costs.model_copy(update={"readings": readings, **changes})
