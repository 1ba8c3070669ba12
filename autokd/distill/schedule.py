"""Schedules as pure functions of the step."""

from __future__ import annotations

import math

WARMUP_SHARE = 0.1


def learning_rate_factor(step: int, steps: int) -> float:
    """Linear warm-up over the first tenth, then a cosine to zero; `step` counts from 0 to steps - 1."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
