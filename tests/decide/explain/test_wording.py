"""Numbers in sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.decide.explain import wording as say


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.000312, "$0.000312"),
        (0.0003, "$0.0003"),
        (0.1, "$0.10"),
        (0.01, "$0.01"),
        (0, "$0.00"),
        (12.4, "$12.40"),
        (123456.7, "$123,457"),
        (-0.002, "-$0.002"),
        (0.9999, "$1.00"),
        (float("inf"), "unlimited money"),
    ],
)
def test_money_keeps_the_digits_that_matter(amount: float, text: str) -> None:
    assert say.usd(amount) == text


def test_numbers_and_their_limits_are_told_apart() -> None:
    assert say.percent_beside(0.9496, 0.95) == ("94.96 %", "95.00 %")
    assert say.percent_beside(0.93, 0.95) == ("93.0 %", "95.0 %")
    assert say.percent_beside(0.95, 0.95) == ("95.0 %", "95.0 %")
    assert say.usd_beside(0.00100004, 0.001) == ("$0.00100004", "$0.001")
    assert say.beside(10.001, 10.0) == ("10.001", "10")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0003, "$0.0003"),
        (0.00031255, "$0.00031255"),
        (4.015, "$4.015"),
        (1234567.5, "$1234567.5"),
        (2e-7, "$0.0000002"),
    ],
)
def test_money_to_be_given_back_keeps_every_digit(amount: float, text: str) -> None:
    assert say.usd_exact(amount) == text


def test_points_and_ranges() -> None:
    assert say.points(0.0123) == "+1.2 points"
    assert say.points(-0.004) == "-0.40 points"
    assert say.times(8.37) == "8.4"
    assert say.times(1234.5) == "1,234"
    assert say.listed(["a"]) == "a"
    assert say.listed(["a", "b", "c"]) == "a, b and c"
    assert say.count(909_090.9) == "910,000"
    assert say.count(0.2) == "1"


@given(st.floats(1e-9, 1e12), st.booleans(), st.integers(2, 6))
def test_rounding_goes_to_its_side_and_not_far(number: float, up: bool, digits: int) -> None:
    found = say.rounded_out(number, up=up, digits=digits)
    assert (found >= number * (1 - 1e-8)) if up else (found <= number * (1 + 1e-8))
    assert found == pytest.approx(number, rel=1.01 * 10 ** (1 - digits))
    assert float(f"{found:.{digits}g}") == found
