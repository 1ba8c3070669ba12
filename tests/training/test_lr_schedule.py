"""The learning rate over the steps of a training."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.training.batches import steps_per_epoch
from autokd.training.lr_schedule import learning_rate_factor


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
@given(steps=st.integers(1, 2000))
def test_it_rises_over_the_first_tenth_and_never_again(schedule, steps):
    factors = [learning_rate_factor(step, steps, schedule) for step in range(steps)]
    top = max(1, round(0.1 * steps)) - 1
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[top] == 1
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top + 1 :] == sorted(factors[top + 1 :], reverse=True)


def test_values_by_hand():
    assert [learning_rate_factor(step, 20) for step in (0, 1, 2, 11)] == pytest.approx([0.5, 1.0, 1.0, 0.5])
    assert learning_rate_factor(999, 1000) < 1e-4
    linear = [learning_rate_factor(step, 20, "linear") for step in (0, 1, 2, 11, 19)]
    assert linear == pytest.approx([0.5, 1.0, 1.0, 0.5, 1 / 18])
    assert [learning_rate_factor(step, 20, "constant") for step in (0, 1, 2, 19)] == [0.5, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(("images", "batch", "steps"), [(100, 32, 3), (96, 32, 3), (31, 32, 1), (32, 32, 1)])
def test_an_epoch_is_made_of_full_batches(images, batch, steps):
    assert steps_per_epoch(images, batch) == steps
