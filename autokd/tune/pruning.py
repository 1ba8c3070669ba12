"""Which trials are stopped early.

Trials of one student are compared with each other only: that a cheap student is less accurate than a dear one is no
reason to stop it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

MOST_BEHIND = 0.1


def rungs(epochs: int) -> list[int]:
    """The epochs at which a trial may be stopped: half of all, and three quarters.

    Before, high learning rates look worse than they end: of trials stopped from a tenth of the epochs on, a quarter
    would have ended better than what they were compared with (benchmarks/bench_pruning.py).
    """
    return [at for at in sorted({math.ceil(epochs / 2), math.ceil(3 * epochs / 4)}) if at < epochs]


def is_behind(accuracy: float, others: Iterable[float], share: float) -> bool:
    """Whether a trial is stopped at a rung: clearly less accurate there than the best other trial of its student.

    share: of its epochs that are done; the less, the further behind it may be, because high learning rates catch up.
    """
    return accuracy < (1 - MOST_BEHIND * (1 - share)) * max(others, default=0.0)
