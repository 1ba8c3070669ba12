"""Intervals and differences as the sentences of a verdict write them."""

from __future__ import annotations

from math import floor

from autokd.formatting import level, percent, usd
from autokd.records import AtStake, Interval


def percent_range(interval: Interval) -> str:
    """95 % interval 96.4 to 97.7 %."""
    return f"{level(interval.level)} interval {interval.low * 100:.1f} to {percent(interval.high)}"


def points_range(interval: Interval) -> str:
    """95 % interval +0.40 to +2.00 points."""
    return f"{level(interval.level)} interval {interval.low * 100:+.2f} to {interval.high * 100:+.2f} points"


def how_sure(repeatability: float, at_stake: AtStake) -> str:
    """Both numbers: 92 of 100 repeats would say the same; at most 0.60 points are at stake."""
    stakes = [f"{at_stake.points * 100:.2f} points of accuracy"] if at_stake.points > 0 else []
    if at_stake.usd_per_month is not None and at_stake.usd_per_month > 0:
        stakes.append(f"{usd(at_stake.usd_per_month)} a month")
    elif at_stake.usd_per_1k > 0:
        stakes.append(f"{usd(at_stake.usd_per_1k)} per 1,000 requests")
    least = f"at most {' or '.join(stakes)} at stake" if stakes else "nothing at stake"
    return f"{floor(100 * repeatability)} of 100 repeats would say the same; {least}."
