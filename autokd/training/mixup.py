"""Mixup and cutmix: two images of a batch become one, as a pure function of (seed, epoch, step)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from autokd.records import Recipe


@dataclass(frozen=True)
class Mix:
    """Which images of a batch are mixed, and how much of each is left.

    partner: int64 [n], the other image's place in the batch; share: of the image itself, 0 to 1; box: rows and columns
    (top, bottom, left, right) that cutmix takes from the partner, as fractions of a side; None for mixup.
    """

    partner: Tensor
    share: float
    box: tuple[float, float, float, float] | None = None


def draw_mix(recipe: Recipe, images: Tensor, seed: int, epoch: int, step: int) -> Mix | None:
    """How this batch [n, 3, S, S] is mixed; None where the recipe wants no mixing.

    The share of mixup is drawn from Beta(a, a) with a = recipe.mixup (Zhang et al. 2018, arXiv:1710.09412), cutmix's
    box takes a share drawn from Beta(a, a) with a = recipe.cutmix (Yun et al. 2019, arXiv:1905.04899). Where the
    recipe has both, each batch gets one of them by the toss of a coin.
    """
    if not (recipe.mixup or recipe.cutmix):
        return None
    random = np.random.default_rng([seed, epoch, step, 1])  # the 1 parts it from the shuffling
    partner = torch.from_numpy(random.permutation(len(images))).to(images.device)
    cut = bool(recipe.cutmix) and (not recipe.mixup or random.random() < 0.5)
    if not cut:
        return Mix(partner, float(random.beta(recipe.mixup, recipe.mixup)))
    return _cut(partner, float(random.beta(recipe.cutmix, recipe.cutmix)), random.random(2), images.shape[-1])


def _cut(partner: Tensor, share: float, centre: np.ndarray, size: int) -> Mix:
    """A square of (1 - share) of the area, cut off at the borders; the share is what is left then."""
    half = np.sqrt(1 - share) / 2
    low = np.round(np.clip(centre - half, 0, 1) * size) / size
    high = np.round(np.clip(centre + half, 0, 1) * size) / size
    box = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return Mix(partner, 1 - float(np.prod(high - low)), box)


def mix_images(images: Tensor, mix: Mix | None) -> Tensor:
    """The mixed images [n, 3, S, S]; the views themselves without a mix."""
    if mix is None:
        return images
    other = images[mix.partner]
    if mix.box is None:
        return torch.lerp(other, images, mix.share)
    size = images.shape[-1]
    top, bottom, left, right = (round(edge * size) for edge in mix.box)
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = other[..., top:bottom, left:right]
    return mixed
