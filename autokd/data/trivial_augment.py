"""TrivialAugment (Müller, Hutter 2021, arXiv:2103.10158): one operation a view, with a strength drawn evenly.

Operations and ranges are those of its "wide" space (table 5), except that shifts are in shares of the image: 32 pixels
of 224. Everything follows from given uniform numbers, image by image, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.data.augmentations import LEVELS, Uniforms, image_mean, luma

BINS = 31  # strengths, from nothing to all of the range
SHEAR, SHIFT, DEGREES, ENHANCE, LOST_BITS = 0.99, 32 / 224, 135.0, 0.99, 6

Strength = Tensor  # [n], 0 to 1
Sign = Tensor  # [n], -1 or 1


def trivial_augment(view: Tensor, numbers: Uniforms) -> Tensor:
    """view: float32 [n, 3, S, S] in 0 to 1; numbers: uniform [n, 3]: which operation, how strong, and its sign."""
    names = list(OPERATIONS)
    chosen = np.minimum((numbers[:, 0] * len(names)).astype(np.int64), len(names) - 1)
    strength = np.minimum(np.floor(numbers[:, 1] * BINS), BINS - 1) / (BINS - 1)
    sign = np.where(numbers[:, 2] < 0.5, -1.0, 1.0)
    result = view.clone(memory_format=torch.channels_last)
    for number, name in enumerate(names):
        rows = np.flatnonzero(chosen == number)
        if len(rows) and (operation := OPERATIONS[name]) is not None:
            where = torch.from_numpy(rows).to(view.device)
            given = (torch.from_numpy(each[rows]).to(view.device, torch.float32) for each in (strength, sign))
            result[where] = operation(view[where], *given)
    return result


# ---- geometry --------------------------------------------------------------------------------------------------


def _moved(view: Tensor, matrix: Tensor) -> Tensor:
    """Each image looked up by its own [2, 3] matrix, in coordinates of -1 to 1; black outside."""
    grid = F.affine_grid(matrix, list(view.shape), align_corners=False)
    return F.grid_sample(view, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _identity(count: int, like: Tensor) -> Tensor:
    return torch.eye(2, 3, device=like.device).repeat(count, 1, 1)


def _sheared(axis: int) -> Callable[[Tensor, Strength, Sign], Tensor]:
    def shear(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
        matrix = _identity(len(view), view)
        matrix[:, axis, 1 - axis] = sign * SHEAR * strength
        return _moved(view, matrix)

    return shear


def _shifted(axis: int) -> Callable[[Tensor, Strength, Sign], Tensor]:
    def shift(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
        matrix = _identity(len(view), view)
        matrix[:, axis, 2] = -sign * 2 * SHIFT * strength
        return _moved(view, matrix)

    return shift


def _rotated(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
    angle = torch.deg2rad(sign * DEGREES * strength)
    matrix = _identity(len(view), view)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return _moved(view, matrix)


# ---- colour ----------------------------------------------------------------------------------------------------


def _blended(view: Tensor, other: Tensor, strength: Strength, sign: Sign) -> Tensor:
    """other + factor * (view - other), the factor in 0.01 to 1.99."""
    factor = (1 + sign * ENHANCE * strength).view(-1, 1, 1, 1)
    return (other + factor * (view - other)).clamp(0, 1)


def _brightness(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
    return _blended(view, torch.zeros_like(view), strength, sign)


def _colour(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
    return _blended(view, luma(view).expand_as(view), strength, sign)


def _contrast(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
    return _blended(view, image_mean(luma(view)).expand_as(view), strength, sign)


def _sharpness(view: Tensor, strength: Strength, sign: Sign) -> Tensor:
    """Blended with a smoothed image, whose outermost pixels stay (as in Pillow)."""
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], device=view.device) / 13
    smooth = view.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(view, kernel.expand(3, 1, 3, 3), groups=3)
    return _blended(view, smooth, strength, sign)


# ---- levels ----------------------------------------------------------------------------------------------------


def _levels(view: Tensor) -> Tensor:
    return (view * LEVELS).round().to(torch.int64)


def _posterized(view: Tensor, strength: Strength, sign: Sign) -> Tensor:  # noqa: ARG001
    kept = 8 - (LOST_BITS * strength).round().to(torch.int64)
    mask = (256 - (1 << (8 - kept))).view(-1, 1, 1, 1)
    return (_levels(view) & mask).float() / LEVELS


def _solarized(view: Tensor, strength: Strength, sign: Sign) -> Tensor:  # noqa: ARG001
    return torch.where(view >= (1 - strength).view(-1, 1, 1, 1), 1 - view, view)


def _auto_contrast(view: Tensor, strength: Strength, sign: Sign) -> Tensor:  # noqa: ARG001
    """Each channel stretched to 0 to 1; a channel of one value stays."""
    low, high = view.amin((2, 3), keepdim=True), view.amax((2, 3), keepdim=True)
    return torch.where(high > low, (view - low) / (high - low).clamp(min=1e-6), view)


def _equalized(view: Tensor, strength: Strength, sign: Sign) -> Tensor:  # noqa: ARG001
    """Each channel's histogram made flat, as in Pillow."""
    levels = _levels(view).flatten(2)
    counts = torch.zeros(*levels.shape[:2], 256, dtype=torch.int64, device=view.device)
    counts.scatter_add_(2, levels, torch.ones_like(levels))
    last = torch.where(counts > 0, torch.arange(256, device=view.device), -1).amax(2, keepdim=True)
    step = (counts.sum(2, keepdim=True) - counts.gather(2, last)) // LEVELS
    before = counts.cumsum(2) - counts
    table = ((before + step // 2) // step.clamp(min=1)).clamp(0, LEVELS)
    flat = table.gather(2, levels).float() / LEVELS
    return torch.where(step > 0, flat, levels.float() / LEVELS).view_as(view)


OPERATIONS: dict[str, Callable[[Tensor, Strength, Sign], Tensor] | None] = {
    "identity": None,
    "shear_x": _sheared(0),
    "shear_y": _sheared(1),
    "shift_x": _shifted(0),
    "shift_y": _shifted(1),
    "rotate": _rotated,
    "brightness": _brightness,
    "colour": _colour,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterized,
    "solarize": _solarized,
    "auto_contrast": _auto_contrast,
    "equalize": _equalized,
}
