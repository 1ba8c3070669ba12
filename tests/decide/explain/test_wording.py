"""Numbers in sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd import formatting as fmt


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
        (float("inf"), "unlimited"),
    ],
)
def test_money_keeps_the_digits_that_matter(amount: float, text: str) -> None:
    assert fmt.usd(amount) == text


def test_numbers_and_their_limits_are_told_apart() -> None:
    assert fmt.percent_pair(0.9496, 0.95) == ("94.96 %", "95.00 %")
    assert fmt.percent_pair(0.93, 0.95) == ("93.0 %", "95.0 %")
    assert fmt.percent_pair(0.95, 0.95) == ("95.0 %", "95.0 %")
    assert fmt.usd_pair(0.00100004, 0.001) == ("$0.00100004", "$0.001")
    assert fmt.number_pair(10.001, 10.0) == ("10.001", "10")


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
    assert fmt.usd_exact(amount) == text


def test_points_and_ranges() -> None:
    assert fmt.points(0.0123) == "+1.23 points"
    assert fmt.points(-0.004) == "-0.40 points"
    assert fmt.times(8.37) == "8.4"
    assert fmt.times(1234.5) == "1,234"
    assert fmt.listed(["a"]) == "a"
    assert fmt.listed(["a", "b", "c"]) == "a, b and c"
    assert fmt.requests(909_090.9) == "910,000"
    assert fmt.requests(0.2) == "1"


@given(st.floats(1e-9, 1e12), st.booleans(), st.integers(2, 6))
def test_rounding_goes_to_its_side_and_not_far(number: float, up: bool, digits: int) -> None:
    found = fmt.rounded_out(number, up=up, digits=digits)
    assert (found >= number * (1 - 1e-8)) if up else (found <= number * (1 + 1e-8))
    assert found == pytest.approx(number, rel=1.01 * 10 ** (1 - digits))
    assert float(f"{found:.{digits}g}") == found
