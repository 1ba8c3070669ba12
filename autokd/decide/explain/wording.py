"""Numbers as the sentences of a verdict write them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import ceil, floor, isfinite, log10

from autokd import formatting
from autokd.records import Interval


def percent(fraction: float, digits: int = 1) -> str:
    """0.971 -> 97.1 %."""
    return f"{fraction * 100:.{digits}f} %"


def percent_beside(fraction: float, limit: float) -> tuple[str, str]:
    """A percentage and its limit, with as many decimals as it takes to tell them apart (up to four)."""
    for digits in range(1, 5):
        pair = percent(fraction, digits), percent(limit, digits)
        if pair[0] != pair[1]:
            break
    return (percent(fraction), percent(limit)) if fraction == limit else pair


def percent_range(interval: Interval) -> str:
    """95 % interval 96.4 to 97.7 %."""
    return f"{level(interval.level)} interval {interval.low * 100:.1f} to {percent(interval.high)}"


def points(difference: float) -> str:
    """0.012 -> +1.2 points; two decimals below one point."""
    size = abs(difference) * 100
    return f"{difference * 100:+.{1 if size >= 1 else 2}f} points"


def points_range(interval: Interval) -> str:
    """95 % interval +0.40 to +2.00 points."""
    return f"{level(interval.level)} interval {interval.low * 100:+.2f} to {interval.high * 100:+.2f} points"


def level(share: float) -> str:
    """0.95 -> 95 %; as many digits as it has."""
    return f"{share * 100:.6g} %"


def usd(amount: float) -> str:
    """Dollars with the digits that matter."""
    return formatting.usd(amount) if isfinite(amount) else "unlimited money"


def usd_exact(amount: float) -> str:
    """Dollars without losing a digit: for a number that is to be given back as it stands."""
    text = usd(amount)
    return text if float(text[1:].replace(",", "")) == amount else f"${Decimal(repr(amount)):f}"


def usd_beside(amount: float, limit: float) -> tuple[str, str]:
    """Two amounts, with more digits where three would make them look alike."""
    pair = usd(amount), usd(limit)
    exact = tuple(f"${Decimal(f'{value:.6g}'):f}" for value in (amount, limit))
    return (exact[0], exact[1]) if pair[0] == pair[1] and amount != limit else pair


def beside(value: float, limit: float) -> tuple[str, str]:
    """Two numbers with three digits, or with as many more as it takes to tell them apart."""
    pair = f"{value:.3g}", clean(limit)
    return (clean(value), clean(limit)) if float(pair[0]) == limit != value else pair


def count(number: float) -> str:
    """A whole number with separators; three significant digits from 10,000 on, rounded up."""
    return f"{rounded_out(number, up=True) if number >= 10_000 else ceil(number):,.0f}"


def times(factor: float) -> str:
    """8.37 -> 8.4; whole numbers from 100 on."""
    return f"{factor:,.0f}" if factor >= 100 else f"{factor:.1f}"


def listed(parts: Sequence[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def rounded_out(number: float, *, up: bool, digits: int = 3) -> float:
    """The next number of so many significant digits that is not below (`up`) or not above `number`."""
    if number == 0 or not isfinite(number):
        return number
    step = 10.0 ** (floor(log10(abs(number))) - digits + 1)
    steps = number / step
    whole = ceil(steps - 1e-9) if up else floor(steps + 1e-9)
    return float(f"{whole * step:.{digits}g}")


def clean(number: float) -> str:
    """A number as short as it can be written without losing a digit that was asked for."""
    return f"{number:.10g}"
