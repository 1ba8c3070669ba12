"""The teacher on the bench: in the runtime that was asked for, or in the one that serves it faster."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from autokd.cost.bench import Bench, Builder, Timed
from autokd.cost.runtimes.open import usable_runtimes
from autokd.cost.timing_stats import percentile
from autokd.errors import ConfigError
from autokd.progress import Listener
from autokd.records import RUNTIMES, CostModel, RuntimeName
from autokd.zoo.build import reason

ROUNDS = 5  # in which the runtimes take turns


@dataclass(frozen=True)
class Served:
    """A loaded teacher with its bench, and the cost model with the runtime filled in."""

    teacher: Timed
    bench: Bench
    model: CostModel


def serve_teacher(
    name: str, builder: Builder, model: CostModel, with_sizes: bool, image_size: int | None, listener: Listener
) -> Served:
    """Load the teacher; where the cost model leaves the runtime open, in each that is usable, timed in turn.

    The students are served in the same runtime. A runtime that cannot serve the teacher is named to the listener.
    Raises ConfigError where none can.
    """
    asked: tuple[RuntimeName, ...] = (
        (model.runtime,) if model.runtime else usable_runtimes(model.device, model.precision)
    )
    threads = torch.get_num_threads() if model.device == "cpu" else None
    served: list[Served] = []
    refused: dict[RuntimeName, ConfigError] = {}
    for runtime in asked:
        known = model.model_copy(update={"runtime": runtime, "threads": threads})
        bench = Bench(known, with_sizes)
        try:
            served.append(Served(bench.load(name, builder, image_size), bench, known))
        except ConfigError as error:
            refused[runtime] = error
    if not served:
        raise refused[asked[0]]
    for runtime, failure in refused.items():
        why = reason(failure.__cause__ or failure)
        listener.note(f"{RUNTIMES[runtime]} is left out, because it cannot serve {name}: {why}.")
    return _fastest(served, listener) if len(served) > 1 else served[0]


def _fastest(served: list[Served], listener: Listener) -> Served:
    """By the median time of an image."""
    turns = [[one.teacher.block(1) for one in served] for _ in range(ROUNDS)]
    medians = [percentile(times, 50) for times in zip(*turns, strict=True)]
    (least, _, best), (next_best, _, second) = sorted(
        (seconds, place, one) for place, (seconds, one) in enumerate(zip(medians, served, strict=True))
    )[:2]
    assert best.model.runtime and second.model.runtime  # noqa: S101
    listener.note(
        f"Served with {RUNTIMES[best.model.runtime]}, teacher and students: {best.teacher.name} is "
        f"{next_best / least:.2f} times as fast as with {RUNTIMES[second.model.runtime]}."
    )
    for one in served:
        if one is not best:
            one.teacher.drop()
    return best
