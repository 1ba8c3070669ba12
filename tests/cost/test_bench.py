"""The batch size that a model is served with."""

from __future__ import annotations

import pytest
import torch

from autokd.cost.bench import Bench, smallest_near_best
from autokd.records import CostModel


class Formula:
    """A model whose pass takes `fixed` seconds and `each` for an image."""

    def __init__(self, fixed: float, each: float, room: int = 1_000) -> None:
        self.fixed, self.each, self.room, self.load_seconds = fixed, each, room, 0.0
        self.seen: list[int] = []

    def seconds(self, batch: int) -> float:
        if batch > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.seen.append(batch)
        return self.fixed + self.each * batch

    def logits(self, batch: int) -> torch.Tensor:
        return torch.zeros(batch, 2)


def bench(batch_size: int | None = None, with_sizes: bool = False) -> Bench:
    model = CostModel(
        model="measured",
        price_usd_per_hour=1.0,
        price_source="test",
        price_date="2026-01-01",
        instance="test",
        train_price_usd_per_hour=1.0,
        device="cpu",
        batch_size=batch_size,
        image_size=32,
    )
    return Bench(model, with_sizes)


def test_the_smallest_batch_near_the_best_throughput() -> None:
    assert smallest_near_best({1: 1.0}) == 1
    assert smallest_near_best({1: 1.0, 2: 1.0, 4: 1.0}) == 4
    assert smallest_near_best({1: 1.0, 2: 1.85, 4: 3.65}) == 1  # 10 % at most
    assert smallest_near_best({1: 1.0, 2: 1.5, 4: 2.8}) == 2


def test_a_model_with_much_to_do_for_every_pass_gets_a_large_batch() -> None:
    batch, by_batch = bench()._batch(Formula(fixed=1e-3, each=1e-4))
    assert batch == 32
    assert list(by_batch) == [1, 2, 4, 8, 16, 32]
    batch, by_batch = bench()._batch(Formula(fixed=1e-4, each=1e-3))
    assert (batch, list(by_batch)) == (1, [1])


def test_the_sweep_ends_where_larger_batches_bring_nothing() -> None:
    model = Formula(fixed=0.0, each=1e-3)
    bench()._batch(model)
    assert max(model.seen) == 4


def test_the_sweep_ends_at_the_memory() -> None:
    batch, _ = bench()._batch(Formula(fixed=1e-2, each=1e-4, room=8))
    assert batch == 8
    with pytest.raises(torch.OutOfMemoryError):
        bench()._batch(Formula(fixed=1e-2, each=1e-4, room=0))


def test_a_given_batch_is_kept_and_smaller_ones_are_timed_where_they_are_needed() -> None:
    assert bench(6)._batch(Formula(1e-3, 1e-3)) == (6, {1: 0.002, 6: 0.007})
    batch, by_batch = bench(6, with_sizes=True)._batch(Formula(1e-3, 1e-3))
    assert batch == 6
    assert by_batch == pytest.approx({1: 2e-3, 2: 3e-3, 4: 5e-3, 6: 7e-3})
