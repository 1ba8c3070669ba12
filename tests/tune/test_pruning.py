"""Where trials are compared, and which of them are stopped."""

from __future__ import annotations

import pytest

from autokd.tune.pruning import is_behind, rungs


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, []), (2, [1]), (3, [2]), (4, [2, 3]), (6, [3, 5]), (20, [10, 15]), (60, [30, 45])],
)
def test_rungs_are_at_half_and_three_quarters_of_the_epochs(epochs: int, expected: list[int]) -> None:
    assert rungs(epochs) == expected


def test_a_trial_is_stopped_for_being_clearly_worse_than_the_best_of_its_student() -> None:
    assert is_behind(0.5, [0.7, 0.6], 0.5)
    assert not is_behind(0.69, [0.7, 0.6], 0.5)


def test_early_on_it_may_be_further_behind() -> None:
    assert not is_behind(0.65, [0.7], 0.1)
    assert is_behind(0.65, [0.7], 0.9)


def test_nothing_is_stopped_without_another_to_compare() -> None:
    assert not is_behind(0.0, [], 0.5)
