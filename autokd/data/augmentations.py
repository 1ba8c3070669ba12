"""Colour jitter and random erasing of a view after its crop, as functions of given uniform numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # red, green, blue: ITU-R BT.601, as Pillow and torchvision have it
ERASED_AREA = (0.02, 0.33)  # share of the crop; Zhong et al. 2017, section 4
ERASED_ASPECT = (0.3, 1 / 0.3)  # height / width; the same section
LEVELS = 255

Uniforms = npt.NDArray[np.float64]


def jitter_colour(view: Tensor, numbers: Uniforms, strength: float) -> Tensor:
    """Brightness, contrast and saturation, in this order, each scaled by a factor in 1 - strength to 1 + strength.

    view: float32 [n, 3, S, S] in 0 to 1; numbers: uniform [n, 3], one a factor. Contrast moves pixels away from the
    crop's mean grey, saturation from their own grey (as in torchvision); the result is cut to 0 to 1 once, at the end.
    """
    factors = torch.from_numpy(1 + strength * (2 * numbers - 1)).to(view.device, torch.float32)
    brightness, contrast, saturation = factors.T.reshape(3, -1, 1, 1, 1).unbind()
    grey = luma(view)
    of_grey = brightness * contrast * (1 - saturation)
    of_mean = brightness * (1 - contrast)
    jittered: Tensor = view * (brightness * contrast * saturation) + (grey * of_grey + image_mean(grey) * of_mean)
    return jittered.clamp_(0, 1)


def luma(view: Tensor) -> Tensor:
    """Grey [n, 1, S, S] of colours [n, 3, S, S]."""
    return LUMA[0] * view[:, 0:1] + LUMA[1] * view[:, 1:2] + LUMA[2] * view[:, 2:3]


def erase(view: Tensor, numbers: Uniforms, probability: float) -> Tensor:
    """Random erasing (Zhong et al. 2017): with `probability`, a rectangle of the crop takes the crop's mean colour.

    view: float32 [n, 3, S, S]; numbers: uniform [n, 5]: whether, area, aspect ratio (its logarithm is uniform), and the
    place down and across. A rectangle that would be longer than the crop is cut to it.
    """
    size = view.shape[-1]
    area = ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * numbers[:, 1]
    low, high = np.log(ERASED_ASPECT)
    aspect = np.exp(low + (high - low) * numbers[:, 2])
    chosen = numbers[:, 0] < probability
    rows = _stretch(np.sqrt(area * aspect), numbers[:, 3], size) & chosen[:, None]
    columns = _stretch(np.sqrt(area / aspect), numbers[:, 4], size)
    inside = torch.from_numpy(rows).to(view.device)[:, None, :, None]
    inside = inside & torch.from_numpy(columns).to(view.device)[:, None, None, :]
    return torch.where(inside, image_mean(view), view).contiguous(memory_format=torch.channels_last)


def _stretch(share: Uniforms, place: Uniforms, size: int) -> npt.NDArray[np.bool_]:
    """Which of `size` pixels lie in a stretch of `share` of them, its start drawn by `place`: bool [n, size]."""
    length = np.clip(np.rint(share * size), 1, size)
    start = np.floor(place * (size - length + 1))
    offsets = np.arange(size) - start[:, None]
    within: npt.NDArray[np.bool_] = (offsets >= 0) & (offsets < length[:, None])
    return within


def image_mean(values: Tensor) -> Tensor:
    """Mean over the pixels, [n, C, S, S] to [n, C, 1, 1], of values rounded to 1/255.

    The sum is over integers, hence the same in whatever order a device adds, and however many images there are.
    """
    total = (values * LEVELS).round_().sum((2, 3), keepdim=True, dtype=torch.int64)
    return total.float() / (LEVELS * values.shape[2] * values.shape[3])
