"""How a model is trained by what it starts from: the same for teacher and students, and for both arms."""

from __future__ import annotations

from typing import NamedTuple

# Families without a convolution after their patches. In short trainings the measured one, vision_transformer, wants a
# lower rate than all others (benchmarks/RESULTS.md).
PLAIN_TRANSFORMERS = frozenset({"beit", "cait", "deit", "eva", "vision_transformer", "vision_transformer_relpos"})
# Those and others with layer norms throughout: fine-tuned at lower rates than networks with batch norms.
TRANSFORMERS = PLAIN_TRANSFORMERS | {
    "coat",
    "convit",
    "crossvit",
    "davit",
    "gcvit",
    "hiera",
    "mlp_mixer",
    "mvitv2",
    "nest",
    "pit",
    "pvt_v2",
    "swin_transformer",
    "swin_transformer_v2",
    "swin_transformer_v2_cr",
    "tnt",
    "twins",
    "vision_transformer_hybrid",
    "vision_transformer_sam",
    "volo",
    "xcit",
}


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
FINE_TUNING = Preset(rate=1.5e-3, low=2e-5, high=3e-3, head_factor=5.0, teacher=(1e-4, 3e-4, 1e-3))
# convention: MAE fine-tunes ViTs at 1e-3 for 256 images, which is 1e-4 for a batch of 32 (arXiv:2111.06377, table 9)
TRANSFORMER_FINE_TUNING = FINE_TUNING._replace(rate=1e-4, teacher=(1e-5, 3e-5, 1e-4))


def preset(fine_tuning: bool, family: str = "") -> Preset:
    """Of a model of that timm family that starts from given weights, or from random ones."""
    if fine_tuning:
        return TRANSFORMER_FINE_TUNING if family in TRANSFORMERS else FINE_TUNING
    return PLAIN_TRANSFORMER if family in PLAIN_TRANSFORMERS else FROM_SCRATCH
