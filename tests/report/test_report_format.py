"""Numbers as people read them."""

from __future__ import annotations

import pytest

from autokd.formatting import printable, requests
from autokd.records import Interval
from autokd.report import format as fmt


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.000312, "$0.000312"),
        (0.00031249, "$0.000312"),
        (0.1, "$0.10"),
        (0.0123, "$0.0123"),
        (0.9999, "$1.00"),
        (12.4, "$12.40"),
        (1234.5, "$1,234.50"),
        (123456.7, "$123,457"),
        (0, "$0.00"),
        (-3.5, "−$3.50"),
        (None, "–"),
        (float("inf"), "unlimited"),
        (float("nan"), "–"),
        (1e-9, "$0.000000001"),
    ],
)
def test_dollars(amount: float | None, text: str) -> None:
    assert fmt.usd(amount) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (58_164_298, "58.2 M"),
        (999, "999"),
        (1_000, "1 k"),
        (999_700, "1,000 k"),
        (11.6e9, "11.6 G"),
        (None, "–"),
        (0, "0"),
    ],
)
def test_large_numbers(number: float | None, text: str) -> None:
    assert fmt.large(number).replace(fmt.NBSP, " ") == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (10_301, "10.4 k"),
        (10_300, "10.3 k"),
        (9_999.2, "10,000"),
        (1_234.2, "1,235"),
        (0.4, "1"),
        (999_001, "1 M"),
        (6_501_000_000, "6.51 G"),
        (float("inf"), "–"),
        (None, "–"),
    ],
)
def test_requests_are_rounded_up(number: float | None, text: str) -> None:
    assert fmt.requests(number).replace(fmt.NBSP, " ") == text


@pytest.mark.parametrize("number", [10_301.4, 323_456, 5_150_001, 123.4, 10_000, 99_999])
def test_requests_are_those_of_the_sentences(number: float) -> None:
    size = {"k": 1e3, "M": 1e6}
    figure, _, letter = fmt.requests(number).partition(fmt.NBSP)
    assert float(figure.replace(",", "")) * size.get(letter, 1) == float(requests(number).replace(",", ""))


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.14, "3.1 s"), (59.98, "60.0 s"), (192, "3 min 12 s"), (7_500, "2 h 05 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert fmt.duration(seconds).replace(fmt.NBSP, " ") == text


def test_percents_and_points() -> None:
    assert fmt.percent(0.971) == "97.1\u00a0%"
    assert fmt.percent(-0.0001) == "0.0\u00a0%"
    assert fmt.points(0.012) == "+1.20\u00a0points"
    assert fmt.points(-0.012) == "−1.20\u00a0points"
    assert fmt.points_interval(Interval(mean=0, low=-0.01, high=0.01)) == "−1.00 to +1.00\u00a0points"
    assert fmt.percent_interval(Interval(mean=0.97, low=0.964, high=0.977)) == "96.4 to 97.7\u00a0%"


def test_lists_and_surrogates() -> None:
    assert fmt.listed(["a"]) == "a"
    assert fmt.listed(["a", "b", "c"]) == "a, b and c"
    assert printable("\udcff") == r"\udcff"
