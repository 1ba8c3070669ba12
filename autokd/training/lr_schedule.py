"""Schedules as pure functions of the step."""

from __future__ import annotations

import math

from autokd.records import Schedule

WARMUP_SHARE = 0.1


def learning_rate_factor(step: int, steps: int, schedule: Schedule = "cosine") -> float:
    """Linear warm-up over the first tenth, then by the schedule; `step` counts from 0 to steps - 1.

    cosine: half a wave down to zero (Loshchilov, Hutter 2017, arXiv:1608.03983, without restarts); linear: straight
    down to zero; constant: what the warm-up has reached.
    """
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    match schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
        case "linear":
            return 1 - done
        case "constant":
            return 1.0
