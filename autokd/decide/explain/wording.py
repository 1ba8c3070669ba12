"""Intervals and differences as the sentences of a verdict write them."""

from __future__ import annotations

from autokd.formatting import level, percent
from autokd.records import Interval


def percent_range(interval: Interval) -> str:
    """95 % interval 96.4 to 97.7 %."""
    return f"{level(interval.level)} interval {interval.low * 100:.1f} to {percent(interval.high)}"


def points_range(interval: Interval) -> str:
    """95 % interval +0.40 to +2.00 points."""
    return f"{level(interval.level)} interval {interval.low * 100:+.2f} to {interval.high * 100:+.2f} points"
