"""Numbers, verdicts and lists as people read them, in plain text: dollars, percent, points, durations, bytes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import ceil, floor, isfinite, log10
from unicodedata import category

VERDICTS = {
    "distill": "distill a smaller model",
    "use_small_model": "use the small model directly",
    "keep_teacher": "keep the teacher",
    "none": "nothing meets the limits",
}
CONCLUSIONS = {
    verdict: words if verdict == "none" else f"the verdict is to {words}" for verdict, words in VERDICTS.items()
}

_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # of writing


def first_line(error: BaseException) -> str:
    """What an error says first, else its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def usd(amount: float) -> str:
    """An amount with the digits that matter, never in powers of ten: $0.000312, $0.10, $12.40, $123,457."""
    if not isfinite(amount):
        return "unlimited"
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    if size >= 10_000:
        return f"{sign}${size:,.0f}"
    if size >= 1 or size == 0:
        return f"{sign}${size:,.2f}"
    return f"{sign}${_below_one(size)}"


def per_requests(usd_per_1k: float) -> tuple[str, str]:
    """A cost and of how many requests: of 1,000, or of a million where that would be below a tenth of a cent."""
    return (usd(1000 * usd_per_1k), "million") if usd_per_1k < 0.001 else (usd(usd_per_1k), "1,000")


def _below_one(size: float) -> str:
    """Three significant digits, at least two decimals, no trailing zeros beyond them."""
    text = f"{size:.{2 - floor(log10(size))}f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<2}"


def percent(fraction: float, digits: int = 1) -> str:
    """0.971 -> 97.1 %."""
    return f"{fraction * 100:.{digits}f} %"


def percent_pair(fraction: float, limit: float) -> tuple[str, str]:
    """A percentage and its limit, with as many decimals as it takes to tell them apart (up to four)."""
    for digits in range(1, 5):
        pair = percent(fraction, digits), percent(limit, digits)
        if pair[0] != pair[1]:
            break
    return (percent(fraction), percent(limit)) if fraction == limit else pair


def points(difference: float) -> str:
    """0.012 -> +1.20 points."""
    return f"{difference * 100:+.2f} points"


def level(share: float) -> str:
    """0.95 -> 95 %; as many digits as it has."""
    return f"{share * 100:.6g} %"


def usd_exact(amount: float) -> str:
    """Dollars without losing a digit: for a number that is to be given back as it stands."""
    text = usd(amount)
    return text if float(text[1:].replace(",", "")) == amount else f"${Decimal(repr(amount)):f}"


def usd_pair(amount: float, limit: float) -> tuple[str, str]:
    """Two amounts, with more digits where three would make them look alike."""
    pair = usd(amount), usd(limit)
    exact = tuple(f"${Decimal(f'{value:.6g}'):f}" for value in (amount, limit))
    return (exact[0], exact[1]) if pair[0] == pair[1] and amount != limit else pair


def number_pair(value: float, limit: float) -> tuple[str, str]:
    """Two numbers with three digits, or with as many more as it takes to tell them apart."""
    pair = f"{value:.3g}", clean(limit)
    return (clean(value), clean(limit)) if float(pair[0]) == limit != value else pair


def count(number: float) -> str:
    """A whole number with separators: 12,345."""
    return f"{number:,.0f}"


def requests(number: float) -> str:
    """Requests after which something has paid, never rounded down: three significant digits from 10,000 on."""
    return f"{rounded_out(number, up=True) if number >= 10_000 else ceil(number):,.0f}"


def short_count(number: float) -> str:
    """A count that loses no digit: 83,400, but 6.52 M from a million on."""
    return f"{number / 1e6:,.10g} M" if number >= 1e6 else f"{number:,.10g}"


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


def large(number: float) -> str:
    """A large count in short: 58.2 M, 11.6 G."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}" if number < 999.5 * size else f"{number / size:,.0f} {letter}"
    return f"{number:g}"


def rate(per_second: float) -> str:
    """Requests per second."""
    return f"{per_second:,.0f} /s" if per_second >= 100 else f"{per_second:.3g} /s"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def exact_duration(seconds: float) -> str:
    """Seconds in the two units that matter: 3 min 12 s, 2 h 05 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02d} min"


def file_size(count: float) -> str:
    """Bytes as `0.1 MB` or `2.5 GB`; a GB is 10^9 bytes."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def printable(text: str) -> str:
    """Text that can be encoded: half a surrogate pair (from an odd file name) becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def escaped(text: str) -> str:
    """A name from the disk for messages: control and direction characters, and bytes that are no text, are escaped."""
    return "".join(c.encode("unicode_escape").decode() if _is_odd(c) else c for c in text)


def _is_odd(character: str) -> bool:
    return category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
