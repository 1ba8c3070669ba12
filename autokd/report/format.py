"""Numbers and names as people read them; every function returns plain text, which the template escapes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf, isfinite, isnan

from autokd import formatting
from autokd.records import Arm, Interval, Latency, Role

NBSP = "\u00a0"
MINUS = "\u2212"
NOTHING = "\u2013"  # stands where there is no value

UNITS = "%|points|ms|s|min|h|/s|[kMGT]"

ARMS: dict[Arm, str] = {"distill": "distill", "direct": "direct"}
ROLES: dict[Role, str] = {
    "pick": "best proposal",
    "default": "default recipe",
    "twin": "twin",
    "longer": "longer training",
    "published": "published weights as they are",
    "edge": "beyond the range",
}


def percent(fraction: float | None, digits: int = 1) -> str:
    """0.971 -> 97.1 %."""
    return NOTHING if fraction is None else typeset(formatting.percent(fraction, digits))


def share(fraction: float) -> str:
    """A share that somebody chose, with the digits that were given: 0.95 -> 95 %."""
    return typeset(formatting.level(fraction))


def percent_interval(interval: Interval, digits: int = 1) -> str:
    """The two ends of an interval: 96.4 to 97.7 %."""
    low = percent(interval.low, digits).removesuffix(f"{NBSP}%")
    return f"{low} to {percent(interval.high, digits)}"


def interval_of(interval: Interval) -> str:
    """What an interval is called, with its level: 95 % interval."""
    return f"{share(interval.level)} interval"


def points(difference: float) -> str:
    """A difference of two accuracies in percentage points, sign always shown: +1.20 points."""
    return typeset(formatting.points(difference))


def bare_points(difference: float) -> str:
    """The same without its unit, for a column that names it."""
    return points(difference).removesuffix(f"{NBSP}points")


def points_interval(interval: Interval) -> str:
    """The two ends of a difference's interval: +0.60 to +1.80 points."""
    return f"{bare_points(interval.low)} to {points(interval.high)}"


def bare_interval(interval: Interval) -> str:
    """The two ends of a difference's interval without their unit: +0.60 to +1.80."""
    return points_interval(interval).removesuffix(f"{NBSP}points")


def per_requests(usd_per_1k: float) -> tuple[str, str]:
    """A cost and of how many requests it is: see autokd.formatting."""
    return formatting.per_requests(usd_per_1k)


def usd(amount: float | None) -> str:
    """Dollars with the digits that matter; a dash where there is no amount."""
    return NOTHING if amount is None or amount == -inf or isnan(amount) else typeset(formatting.usd(amount))


def count(number: float | None) -> str:
    """A whole number with separators: 12,345."""
    return NOTHING if number is None or not isfinite(number) else formatting.count(number)


def large(number: float | None) -> str:
    """A large count in short: 58.2 M, 11.6 G."""
    return NOTHING if number is None or not isfinite(number) else typeset(formatting.large(number))


def requests(number: float | None) -> str:
    """Requests after which something has paid, never rounded down."""
    if number is None or not isfinite(number):
        return NOTHING
    return formatting.requests(number) if number < 10_000 else large(formatting.rounded_out(number, up=True))


def ratio(value: float | None) -> str:
    """Compression ratio, or any other factor: 8.4x."""
    return NOTHING if value is None else f"{value:.1f}\u00d7"


def duration(seconds: float) -> str:
    """Seconds in the two units that matter: 3 min 12 s, 2 h 05 min."""
    return typeset(formatting.exact_duration(seconds))


def latency(value: Latency | None) -> str:
    """Median, 95th and 99th percentile of one batch's milliseconds."""
    if value is None:
        return NOTHING
    return typeset(
        " / ".join(NOTHING if part is None else f"{part:.3g}" for part in (value.p50, value.p95, value.p99)) + " ms"
    )


def rate(value: float | None) -> str:
    """Requests per second."""
    return NOTHING if value is None else typeset(formatting.rate(value))


def yes(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def listed(parts: Iterable[str]) -> str:
    """Parts of an enumeration: a, b and c."""
    return formatting.listed([*parts] or [NOTHING])


def typeset(text: str) -> str:
    """A true minus sign, no sign before a zero, and no line break between a number and its unit."""
    signed = re.sub(r"-(?=\$?\d)", MINUS, re.sub(r"-(?=0+(?:\.0+)?(?![\d.]))", "", text))
    return re.sub(rf"(?<=\d) (?=(?:{UNITS})(?!\w))", NBSP, signed)
