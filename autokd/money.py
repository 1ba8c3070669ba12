"""Dollars as every table and sentence writes them."""

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
