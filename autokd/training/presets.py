"""How a model is trained by what it starts from: the same for teacher and students, and for both arms."""

from __future__ import annotations

from typing import NamedTuple


class Preset(NamedTuple):
    """Learning rates are those of AdamW for the body of the model; low and high bound what a search tries."""

    rate: float  # where nothing is searched
    low: float
    high: float
    head_factor: float  # the head's rate / the body's
    teacher: tuple[float, float, float]  # tried before the long training of a teacher; the middle one is its usual


FROM_SCRATCH = Preset(rate=1e-3, low=3e-4, high=3e-3, head_factor=1.0, teacher=(3e-4, 1e-3, 3e-3))
# small models far from what they were trained on need 1e-3 to 3e-3 (benchmarks/RESULTS.md); teachers are larger
FINE_TUNING = Preset(rate=1.5e-3, low=5e-5, high=3e-3, head_factor=5.0, teacher=(1e-4, 3e-4, 1e-3))


def preset(fine_tuning: bool) -> Preset:
    """Of a model that starts from given weights, or of one that starts from random ones."""
    return FINE_TUNING if fine_tuning else FROM_SCRATCH
