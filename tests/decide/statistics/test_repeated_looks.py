"""How much error each look may make."""

from __future__ import annotations

import pytest

from autokd.decide.statistics.repeated_looks import level_of_look, look_after


def test_every_look_has_half_the_error_of_the_one_before() -> None:
    assert [level_of_look(k) for k in (1, 2, 3)] == pytest.approx([0.95, 0.975, 0.9875])
    assert look_after(level_of_look(2)) == pytest.approx(level_of_look(3))


def test_all_looks_together_err_to_one_side_in_less_than_a_twentieth() -> None:
    assert sum((1 - level_of_look(k)) / 2 for k in range(1, 200)) < 0.05


def test_looks_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        level_of_look(0)
