"""Numbers as people read them: dollars, durations, bytes."""

from __future__ import annotations

from math import floor, log10


def usd(amount: float) -> str:
    """A finite amount with the digits that matter, never in powers of ten: $0.000312, $0.10, $12.40, $123,457."""
    sign, size = ("-", -amount) if amount < 0 else ("", amount)
    if size >= 10_000:
        return f"{sign}${size:,.0f}"
    if size >= 1 or size == 0:
        return f"{sign}${size:,.2f}"
    return f"{sign}${_below_one(size)}"


def _below_one(size: float) -> str:
    """Three significant digits, at least two decimals, no trailing zeros beyond them."""
    text = f"{size:.{2 - floor(log10(size))}f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction:0<2}"


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def file_size(count: float) -> str:
    """Bytes as `0.1 MB` or `2.5 GB`; a GB is 10^9 bytes."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def printable(text: str) -> str:
    """Text that can be encoded: half a surrogate pair (from an odd file name) becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
