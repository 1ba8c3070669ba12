"""How sure an interval has to be when the same evidence is looked at more than once.

A run that ends undecided may be given more seeds and judged again (`autokd confirm`). If every look kept a 95 %
interval, a chance result would have as many chances as there are looks. Distilling is recommended only where an
interval lies above 0, which at 95 % happens by chance in 2.5 % of the looks. Each further look is allowed half of the
error of the one before:

    level of look k = 1 - 0.05 / 2^(k - 1)        95 %, 97.5 %, 98.75 %, ...

so that over any number of looks the chances of a wrong recommendation add up to less than 2.5 % * (1 + 1/2 + ...) = 5 %
(Bonferroni's inequality, which asks nothing of how the looks depend on each other).
"""

from __future__ import annotations

from autokd.records import LEVEL


def level_of_look(look: int) -> float:
    """The level of the intervals at a look, counted from 1; raises ValueError below that."""
    if look < 1:
        raise ValueError(f"looks are counted from 1, got {look}")
    return 1 - (1 - LEVEL) * 0.5 ** (look - 1)


def look_after(level: float) -> float:
    """The level of the look after one at `level`."""
    return 1 - (1 - level) / 2
