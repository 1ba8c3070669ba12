"""Latency under load: what the queueing simulation says of a student, and what a real loop of requests sees here.

The student is loaded in the serving runtime and timed at batch sizes 1, 2, 4, ... Requests then arrive at random
(Poisson) at three shares of its highest throughput. The loop takes all waiting requests at once, up to the largest
batch, and never waits for more, as the simulation supposes. All rates are run several times in turn.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from itertools import accumulate
from statistics import median

import torch
from timing import about, table

from autokd.cost.bench import Bench, Timed
from autokd.cost.queueing import p95_sojourn, service_times
from autokd.cost.timing_stats import percentile
from autokd.records import CostModel
from autokd.zoo.build import build

SHARES = (0.3, 0.6, 0.85)  # of the highest throughput


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Time, simulate, serve, print."""
    asked = _parse(arguments)
    torch.set_num_threads(asked.threads)
    print(about("cpu"))
    student = _loaded(asked)
    service = service_times(student.by_batch)
    highest = max((i + 1) / seconds for i, seconds in enumerate(service))
    served: dict[float, list[float]] = {share: [] for share in SHARES}
    for repeat in range(asked.repeats):
        for share in SHARES:
            served[share].append(_served(student, len(service), _arrivals(share * highest, asked.requests, repeat)))
    rows = []
    for share in SHARES:
        arrivals = [_arrivals(share * highest, asked.requests, repeat) for repeat in range(asked.repeats)]
        simulated = median(p95_sojourn(service, each) for each in arrivals)
        low, middle, high = (f(served[share]) / service[0] for f in (min, median, max))
        rows.append(
            {
                "arrivals / highest throughput": f"{share:.0%}",
                "simulated p95": f"{simulated / service[0]:.2f}",
                "served p95": f"{middle:.2f} ({low:.2f} to {high:.2f})",
            }
        )
    batches = f"batches up to {len(service)}"
    print(f"{asked.student} at {asked.image_size} px, {batches}, {asked.repeats} times {asked.requests} requests")
    print("p95 in multiples of the time of a request that is served alone and at once")
    print(table(rows))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="resnet10t")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--runtime", default="onnxruntime", choices=["eager", "onnxruntime"])
    parser.add_argument("--batch", type=int, default=8, help="the largest")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def _loaded(asked: argparse.Namespace) -> Timed:
    """The student on the bench, timed at all sizes up to the largest batch."""
    model = CostModel(
        model="measured",
        price_usd_per_hour=1.0,
        price_source="none",
        price_date="undated",
        instance="this machine",
        train_price_usd_per_hour=1.0,
        device="cpu",
        runtime=asked.runtime,
        batch_size=asked.batch,
        image_size=asked.image_size,
    )
    return Bench(model, with_sizes=True).load(asked.student, lambda: build(asked.student, 1000, asked.image_size))


def _arrivals(rate: float, requests: int, seed: int) -> list[float]:
    """Seconds at which requests arrive."""
    draw = random.Random(seed)  # noqa: S311 - arrivals, no secret
    return list(accumulate(draw.expovariate(rate) for _ in range(requests)))


def _served(student: Timed, largest: int, arrivals: Sequence[float]) -> float:
    """Seconds from arrival to answer that 95 % of the requests really take at most."""
    start, first, taken_seconds = time.perf_counter(), 0, []
    while first < len(arrivals):
        now = time.perf_counter() - start
        if arrivals[first] > now:
            time.sleep(arrivals[first] - now)
            continue
        waiting = sum(1 for arrival in arrivals[first : first + largest] if arrival <= now)
        student.run(waiting)
        end = time.perf_counter() - start
        taken_seconds += [end - arrival for arrival in arrivals[first : first + waiting]]
        first += waiting
    return percentile(taken_seconds, 95)


if __name__ == "__main__":
    main()
