"""The parts of a data set as the user has it, before anything is cut or decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

Labels = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]  # the same for images that are pixel by pixel identical
UNLABELLED = -1
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # of files, and of images from Python


class PackedNames(Sequence[str]):
    """Names in one array of bytes, each ended by a zero byte: a million names are one object, not a million.

    text: uint8 [bytes], in memory or mapped from a file; `skip`: characters that are left out at the front of each.
    """

    def __init__(self, text: npt.NDArray[np.uint8], skip: int = 0) -> None:
        self.text, self._skip = text, skip
        self._ends = np.flatnonzero(text == 0)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        end = self._ends[index]
        start = self._ends[index - 1] + 1 if index % len(self) else 0
        return os.fsdecode(self.text[start:end].tobytes())[self._skip :]


@dataclass(frozen=True)
class Part:
    """Images of one part with their labels; UNLABELLED where they have none.

    `read(i)` decodes image i (any mode, any size) and raises one of UNREADABLE for one that cannot be read;
    `names[i]` tells the user which one that was. `sides(i)` are its width and height in either order, with no decoding
    where the source knows a way. `paths` is set where the images are plain files, absolute, and then `stamps` too:
    int64 [n, 2], see Stamp.
    """

    names: Sequence[str]
    labels: Labels
    read: Callable[[int], Image.Image]
    paths: PackedNames | None = None
    stamps: npt.NDArray[np.int64] | None = None
    measure: Callable[[int], tuple[int, int]] | None = None

    def sides(self, index: int) -> tuple[int, int]:
        """See above; raises one of UNREADABLE."""
        return self.read(index).size if self.measure is None else self.measure(index)

    def __len__(self) -> int:
        return len(self.labels)


def common_size(part: Part) -> int | None:
    """Pixels of the longer side where the first, middle and last image that can be read agree on it."""
    sizes = set()
    for index in {0, len(part) // 2, len(part) - 1}:
        try:
            sizes.add(max(part.read(index).size))
        except UNREADABLE:
            continue
    return sizes.pop() if len(sizes) == 1 else None


@dataclass(frozen=True)
class Parts:
    """A data set: its classes in label order, and the parts that it ships."""

    data: str
    classes: tuple[str, ...]
    train: Part
    val: Part | None
    test: Part | None
    identity: str | None  # names the content without decoding it; None when only the pixels can
    flip: bool = True  # whether a mirrored image still shows its class
    native_size: int | None = None  # pixels of the longer side where all images have the same
    workers_can_reopen: bool = True
    unlabelled: Part | None = None  # more images to distill on
    note: str = ""  # what was left out, in one sentence

    @property
    def shipped(self) -> list[Part]:
        """The parts that there are, in the order in which images are numbered."""
        return [part for part in (self.train, self.val, self.test, self.unlabelled) if part is not None]
