"""Numbers and names as people read them; every function returns plain text, which the template escapes."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor, inf, isfinite, isnan, log10

from autokd import formatting
from autokd.records import Arm, Interval, Latency, Role, Verdict

NBSP = "\u00a0"
MINUS = "\u2212"
NOTHING = "\u2013"  # stands where there is no value

HEADLINES: dict[Verdict, str] = {
    "distill": "Distil a smaller model",
    "use_small_model": "Train a small model directly",
    "keep_teacher": "Keep the teacher",
    "none": "Nothing meets the limits",
}
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
    return NOTHING if fraction is None else _signed(f"{fraction * 100:.{digits}f}") + f"{NBSP}%"


def share(fraction: float) -> str:
    """A share that somebody chose, with the digits that were given: 0.95 -> 95 %."""
    return f"{fraction * 100:g}{NBSP}%"


def percent_interval(interval: Interval, digits: int = 1) -> str:
    """The two ends of an interval: 96.4 to 97.7 %."""
    return _signed(f"{interval.low * 100:.{digits}f}") + f" to {percent(interval.high, digits)}"


def interval_of(interval: Interval) -> str:
    """What an interval is called, with its level: 95 % interval."""
    return f"{share(interval.level)} interval"


def points(difference: float, digits: int = 2) -> str:
    """A difference of two accuracies in percentage points, sign always shown: +1.20 points."""
    return _signed(f"{difference * 100:+.{digits}f}") + f"{NBSP}points"


def bare_points(difference: float) -> str:
    """The same without its unit, for a column that names it."""
    return points(difference).removesuffix(f"{NBSP}points")


def points_interval(interval: Interval, digits: int = 2) -> str:
    """The two ends of a difference's interval: +0.60 to +1.80 points."""
    return _signed(f"{interval.low * 100:+.{digits}f}") + f" to {points(interval.high, digits)}"


def bare_interval(interval: Interval) -> str:
    """The two ends of a difference's interval without their unit: +0.60 to +1.80."""
    return points_interval(interval).removesuffix(f"{NBSP}points")


def usd(amount: float | None) -> str:
    """Dollars with the digits that matter; a dash where there is no amount."""
    if amount is None or amount == -inf or isnan(amount):
        return NOTHING
    return "unlimited" if amount == inf else formatting.usd(amount).replace("-", MINUS)


def count(number: float | None) -> str:
    """A whole number with separators: 12,345."""
    if number is None or not isfinite(number):
        return NOTHING
    return f"{number:,.0f}"


def large(number: float | None) -> str:
    """A large count in short: 58.2 M, 11.6 G."""
    if number is None or not isfinite(number):
        return NOTHING
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return (
                f"{number / size:.3g}{NBSP}{letter}" if number < 999.5 * size else f"{number / size:,.0f}{NBSP}{letter}"
            )
    return f"{number:g}"


def requests(number: float | None) -> str:
    """Requests after which something has paid, never rounded down: as the sentences of a verdict count them."""
    if number is None or not isfinite(number):
        return NOTHING
    if number < 10_000:
        return f"{ceil(number):,}"
    step = 10.0 ** (floor(log10(number)) - 2)
    return large(ceil(number / step - 1e-9) * step)


def ratio(value: float | None) -> str:
    """Compression ratio, or any other factor: 8.4x."""
    return NOTHING if value is None else f"{value:.1f}\u00d7"


def duration(seconds: float) -> str:
    """Seconds in the two units that matter: 3 min 12 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NBSP}min {rest:02d}{NBSP}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}{NBSP}h {minutes:02d}{NBSP}min"


def latency(value: Latency | None) -> str:
    """Median, 95th and 99th percentile of one batch's milliseconds."""
    if value is None:
        return NOTHING
    return " / ".join(f"{part:.3g}" for part in (value.p50, value.p95, value.p99)) + f"{NBSP}ms"


def rate(value: float | None) -> str:
    """Requests per second."""
    if value is None:
        return NOTHING
    return (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + f"{NBSP}/s"


def yes(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def listed(parts: Iterable[str]) -> str:
    """Parts of an enumeration: a, b and c."""
    *most, last = [*parts] or [NOTHING]
    return f"{', '.join(most)} and {last}" if most else last


def _signed(text: str) -> str:
    """A true minus sign instead of the hyphen; no sign before a zero."""
    if not text.strip("+-0."):
        text = text.lstrip("-")
    return text.replace("-", MINUS)
