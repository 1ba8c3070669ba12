"""Images that are too many to be kept decoded: read again, by worker processes, whenever a batch needs them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from autokd.data.dataset import UNREADABLE, PackedNames, Part
from autokd.data.image_store import Indices, to_pixels
from autokd.data.open_image import UnreadableImage, open_image
from autokd.data.shapes import Pixels, Shapes, lengths, standing, stored_length
from autokd.data.workers import Workers, worker_count
from autokd.errors import ChangedData
from autokd.formatting import escaped

PIECE = 32  # images that a process decodes at a time, so that all processes share in one batch

Failures = list[tuple[int, str]]  # row of a piece, and why its image cannot be read
Decoded = tuple[Tensor, Failures]  # uint8 [n, 3, length, size], zero where that failed


class Shown(NamedTuple):
    """How an image becomes pixels, see `to_pixels`."""

    size: int
    interpolation: str
    most: int | None = None
    squash: bool = False

    @property
    def side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.size, self.most or self.size)

    @property
    def whole(self) -> bool:
        """Whether a picture keeps its shape, as far as `most` allows."""
        return self.side < (self.most or self.size)


class Reader(Protocol):
    """The images of a task by number, their shorter side at one size."""

    size: int

    def __call__(self, index: int) -> Pixels:
        """uint8 [3, height, width], upright; raises one of UNREADABLE."""

    def name(self, index: int) -> str:
        """What the user calls this image."""


class Source(Reader, Protocol):
    """A reader of images that are decoded for the first time."""

    whole: bool  # pictures, or their central squares
    how: tuple[object, ...]  # all that the pixels depend on beside the image

    def __len__(self) -> int: ...
    def length(self, index: int) -> int:
        """Pixels of an image's longer side as read, told without decoding it where possible."""


class PartsReader:
    """See Source: the images of all parts, laid end to end."""

    def __init__(
        self, parts: Sequence[Part], size: int, interpolation: str, most: int | None = None, squash: bool = False
    ) -> None:
        self._shown = shown = Shown(size, interpolation, most, squash)
        self.size, self.whole = shown.side, shown.whole
        self.how: tuple[object, ...] = tuple(shown)
        self._parts = parts
        self._starts = [0, *accumulate(len(part) for part in parts)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __call__(self, index: int) -> Pixels:
        part, own = self._find(index)
        return to_pixels(part.read(own), *self._shown)

    def length(self, index: int) -> int:
        """See Source."""
        if not self.whole:
            return self.size
        part, own = self._find(index)
        try:
            return stored_length(part.sides(own), self.size)
        except UNREADABLE:
            return self.size

    def name(self, index: int) -> str:
        """See Reader."""
        part, own = self._find(index)
        return part.names[own]

    def _find(self, index: int) -> tuple[Part, int]:
        number = bisect_right(self._starts, index) - 1
        return self._parts[number], index - self._starts[number]


class FileReader:
    """See Reader: files that may not change. Their paths, each ended by a zero byte, and their stamps are mapped."""

    def __init__(
        self, paths: Path, stamps: Path, size: int, interpolation: str, most: int | None = None, squash: bool = False
    ) -> None:
        self._shown = Shown(size, interpolation, most, squash)
        self.size = self._shown.side
        self._paths = PackedNames(np.memmap(paths, dtype=np.uint8, mode="r"))
        self._stamps = np.load(stamps, mmap_mode="r")

    def __call__(self, index: int) -> Pixels:
        bytes_, changed = self._stamps[index].tolist()
        return to_pixels(open_image(self._paths[index], (bytes_, changed)), *self._shown)

    def name(self, index: int) -> str:
        """See Reader."""
        return self._paths[index]


class StreamedImages:
    """See ImageStore. The processes start with the first `batches` and end with the store."""

    def __init__(self, read: Reader, device: str, workers: int | None = None, shapes: Shapes | None = None) -> None:
        self._read, self.size, self.shapes, self._device = read, read.size, shapes, device
        on_gpu = torch.device(device).type == "cuda"
        self._decode = partial(decode, read, length=read.size if shapes is None else int(lengths(shapes).max()))
        self._workers = Workers(self._decode, worker_count(workers), pin=on_gpu)

    def take(self, indices: Indices) -> Tensor:
        """See ImageStore; decoded in this process."""
        return self._whole([self._decode(indices)], indices)

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """See ImageStore. One at a time: an iterator ends those of earlier calls."""
        cuts = [cut(group, PIECE) for group in groups]
        decoded = self._workers.run([piece for pieces in cuts for piece in pieces])
        for group, pieces in zip(groups, cuts, strict=True):
            yield self._whole([next(decoded) for _ in pieces], group)

    def _whole(self, pieces: Sequence[Decoded], indices: Indices) -> Tensor:
        start = 0
        for pixels, failures in pieces:
            for row, why in failures[:1]:
                name = escaped(self._read.name(int(indices[start + row])))
                raise ChangedData(
                    f"the image {name} is no longer as it was when the search began ({why}); "
                    "put it back and resume, or start a new search"
                )
            start += len(pixels)
        moved = [pixels.to(self._device, non_blocking=True) for pixels, _ in pieces]
        return moved[0] if len(moved) == 1 else torch.cat(moved)


def cut(indices: Indices, size: int) -> list[Indices]:
    """Pieces of up to `size` images, at least one."""
    return [indices[start : start + size] for start in range(0, max(1, len(indices)), size)]


def decode(read: Reader, indices: Indices, length: int | None = None) -> Decoded:
    """Decode one piece in this process; `length` of the longest image of all, None where all are squares."""
    pixels = np.zeros((len(indices), 3, length or read.size, read.size), dtype=np.uint8)
    failures = []
    for row, index in enumerate(indices.tolist()):
        try:
            _lay(standing(read(index)), pixels[row])
        except UNREADABLE as error:
            failures.append((row, " ".join(str(error).split())))
    return torch.from_numpy(pixels), failures


def _lay(image: Pixels, place: Pixels) -> None:
    """Put a standing image where it belongs in a batch, and repeat its last row below it."""
    length = image.shape[1]
    if length > place.shape[1]:
        raise UnreadableImage("it has another shape")
    place[:, :length], place[:, length:] = image, image[:, -1:]
