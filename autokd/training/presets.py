"""How a model is trained by what it starts from: the same for teacher and students, and for both arms."""

from __future__ import annotations

from typing import NamedTuple

# Families without a convolution after their patches. In short trainings the measured one, vision_transformer, wants a
# lower rate than all others (benchmarks/RESULTS.md).
PLAIN_TRANSFORMERS = frozenset({"beit", "cait", "deit", "eva", "vision_transformer", "vision_transformer_relpos"})


class Preset(NamedTuple):
    """Learning rates are those of AdamW for the body of the model; low and high bound what a search tries."""

    rate: float  # where nothing is searched
    low: float
    high: float
    head_factor: float  # the head's rate / the body's
    teacher: tuple[float, float, float]  # tried before the long training of a teacher; the middle one is its usual


FROM_SCRATCH = Preset(rate=2e-3, low=3e-4, high=6e-3, head_factor=1.0, teacher=(3e-4, 1e-3, 3e-3))
PLAIN_TRANSFORMER = FROM_SCRATCH._replace(rate=5e-4)
# small models far from what they were trained on need 1e-3 to 3e-3 (benchmarks/RESULTS.md); teachers are larger
FINE_TUNING = Preset(rate=1.5e-3, low=5e-5, high=3e-3, head_factor=5.0, teacher=(1e-4, 3e-4, 1e-3))


def preset(fine_tuning: bool, family: str = "") -> Preset:
    """Of a model that starts from given weights, or of one of that timm family that starts from random ones."""
    if fine_tuning:
        return FINE_TUNING
    return PLAIN_TRANSFORMER if family in PLAIN_TRANSFORMERS else FROM_SCRATCH
