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

from autokd.data.shapes import Pixels, Shapes, lengths, starts
from autokd.files import damaged_in_cache

Indices = npt.NDArray[np.int64]
GPU_SHARE = 0.4  # of its free memory, for decoded images
MOST_STRETCHED = 16  # long side / short side that is resized whole


class ImageStore(Protocol):
    """Images of a task as tensors; `shapes` of all of them, None where all are squares."""

    size: int
    shapes: Shapes | None

    def take(self, indices: Indices) -> Tensor:
        """uint8 [len(indices), 3, length, size] on the store's device.

        All are standing; `length` is that of the longest image of all, not of these, so that an image's view is the
        same bit by bit whatever others are with it. The last row of a shorter one is repeated.
        """

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """`take` of each group in turn; a store that decodes works ahead of the caller."""


class ResidentImages:
    """All images in one uint8 tensor: memory-mapped, or `copied` once to a GPU that has room for them.

    [N, 3, H, H] where all are squares, else the strips of all, see shapes.py.
    """

    def __init__(self, path: Path, device: str, shapes: Shapes | None = None, copied: bool = True) -> None:
        array = _mapped(path)
        mapped, self._device = torch.from_numpy(array), torch.device(device)
        self._all = mapped.to(device) if copied and _has_room(self._device, array.nbytes) else mapped
        self.size, self.shapes = int(array.shape[-1]), shapes
        if shapes is not None:
            self._lengths, self._starts = lengths(shapes), starts(lengths(shapes))

    def take(self, indices: Indices) -> Tensor:
        """See ImageStore."""
        chosen = self._all[torch.from_numpy(self._rows(indices)).to(self._all.device)]
        if self.shapes is not None:
            chosen = chosen.view(len(indices), -1, 3, self.size).transpose(1, 2)
        return chosen.to(self._device, non_blocking=True)

    def _rows(self, indices: Indices) -> Indices:
        """Of the tensor: one an image, or the strips of each."""
        if self.shapes is None:
            return indices
        within = np.minimum(np.arange(self._lengths.max()), self._lengths[indices, None] - 1)
        rows: Indices = (self._starts[indices, None] + within).ravel()
        return rows

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


def to_pixels(
    image: Image.Image, size: int, interpolation: str, most: int | None = None, squash: bool = False
) -> Pixels:
    """RGB pixels [3, height, width]: the shorter side resized to `size`, then the centre; grey, palette and 16 bit too.

    most: pixels of either side that the centre has at most; None: `size`, so that it is a square. squash: both sides
    are resized to `size`.
    """
    image = _without_far_ends(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and np.asarray(image).max() > 255):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "transparency" in image.info and image.mode != "RGB":
        image = image.convert("RGBA")
    if image.mode != "RGB":
        image = image.convert("RGB")
    # rounding as in torchvision's Resize and CenterCrop, so that an exported student sees the very same pixels
    width, height = image.size
    short = min(width, height)
    width, height = (size, size) if squash else (size * width // short, size * height // short)
    resample = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    resized = image if image.size == (width, height) else image.resize((width, height), resample)
    kept = min(width, most or size), min(height, most or size)
    left, top = round((width - kept[0]) / 2), round((height - kept[1]) / 2)
    centre = np.asarray(resized.crop((left, top, left + kept[0], top + kept[1])), dtype=np.uint8)
    return np.ascontiguousarray(centre.transpose(2, 0, 1))


def _without_far_ends(image: Image.Image) -> Image.Image:
    """The middle of a very long image, whose ends are not kept: resized whole it would take gigabytes."""
    width, height = image.size
    most = MOST_STRETCHED * min(width, height)
    left, top = max(0, width - most) // 2, max(0, height - most) // 2
    return image.crop((left, top, width - left, height - top)) if left or top else image
