"""Pixels: images as uint8 at one size, and the store of those that are kept decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from autokd.files import damaged_in_cache

Indices = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
GPU_SHARE = 0.4  # of its free memory, for decoded images
MOST_STRETCHED = 16  # long side / short side that is resized whole


class ImageStore(Protocol):
    """Images of a task as tensors."""

    size: int

    def take(self, indices: Indices) -> Tensor:
        """uint8 [len(indices), 3, size, size] on the store's device."""

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """`take` of each group in turn; a store that decodes works ahead of the caller."""


class ResidentImages:
    """All images in one uint8 tensor [N, 3, H, H]: memory-mapped, or copied once to a GPU that has room for them."""

    def __init__(self, path: Path, device: str) -> None:
        array = _mapped(path)
        mapped, self._device = torch.from_numpy(array), torch.device(device)
        self._all = mapped.to(device) if _has_room(self._device, array.nbytes) else mapped
        self.size = int(array.shape[-1])

    def take(self, indices: Indices) -> Tensor:
        """See ImageStore."""
        chosen = self._all[torch.from_numpy(indices).to(self._all.device)]
        return chosen.to(self._device, non_blocking=True)

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """See ImageStore."""
        return map(self.take, groups)


def _has_room(device: torch.device, size: int) -> bool:
    """Whether a GPU may hold so many bytes beside a training; other devices may hold anything."""
    return device.type != "cuda" or size <= GPU_SHARE * torch.cuda.mem_get_info(device)[0]


def _mapped(path: Path) -> Pixels:
    try:
        array: Pixels = np.load(path, mmap_mode="c")
    except (EOFError, ValueError, FileNotFoundError, IsADirectoryError):
        raise damaged_in_cache(path, "it is no array of images") from None
    return array


def to_pixels(image: Image.Image, size: int, interpolation: str) -> Pixels:
    """RGB pixels [3, size, size]: the shorter side resized to `size`, then the centre; grey, palette and 16 bit too."""
    image = _without_far_ends(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info and image.mode != "RGB":
        image = image.convert("RGBA")
    if image.mode != "RGB":
        image = image.convert("RGB")
    # rounding as in torchvision's Resize and CenterCrop, so that an exported student sees the very same pixels
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    resample = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    resized = image if image.size == (width, height) else image.resize((width, height), resample)
    left, top = round((width - size) / 2), round((height - size) / 2)
    square = np.asarray(resized.crop((left, top, left + size, top + size)), dtype=np.uint8)
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def _without_far_ends(image: Image.Image) -> Image.Image:
    """The middle of a very long image, of which only the centre is kept: resized whole it would take gigabytes."""
    width, height = image.size
    most = MOST_STRETCHED * min(width, height)
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return image.crop((left, top, width - left, height - top)) if left or top else image
