"""Pictures that are not square, stored whole: how long they may be, and how they lie in arrays.

They are stored standing, that is with the longer side downwards, as strips: one for each pixel of the longer side,
uint8 [3, size]. So all strips of all pictures have one length and lie in one array, one picture after the other, and a
batch is padded at its lower end alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Shapes = npt.NDArray[np.int32]  # [n, 2]: height and width as stored, upright


def longest(size: int) -> int:
    """Pixels that are kept of the longer side of a picture whose shorter side has `size`: about twice as many.

    Photos are within 16:9; what is longer, such as panoramas and scans, would widen every batch that it is in. Four
    divides the difference, so that cutting to this and then to the centre rounds like cutting the centre at once.
    """
    return size + size // 4 * 4


def stored_length(shape: tuple[int, int], size: int) -> int:
    """Pixels of the longer side as stored, of a picture with these two sides in either order."""
    return min(size * max(shape) // min(shape), longest(size))


def standing(pixels: Pixels) -> Pixels:
    """[3, height, width] with the longer side downwards: a wide picture with rows and columns exchanged."""
    return pixels.transpose(0, 2, 1) if pixels.shape[2] > pixels.shape[1] else pixels


def strips(pixels: Pixels) -> Pixels:
    """One picture's, [length, 3, size]."""
    return np.ascontiguousarray(standing(pixels).transpose(1, 0, 2))


def hashed(strips: Pixels) -> Pixels:
    """What of a picture's strips a hash is of: squares as they lie in an array of squares, [3, size, size]."""
    square = len(strips) == strips.shape[2]
    return np.ascontiguousarray(strips.transpose(1, 0, 2)) if square else strips


def starts(lengths: Iterable[int]) -> npt.NDArray[np.int64]:
    """Where each picture's strips begin, and where the last one's end; [n + 1]."""
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, np.int64))])


def lengths(shapes: Shapes) -> npt.NDArray[np.int64]:
    """The longer sides, [n]."""
    longer: npt.NDArray[np.int64] = shapes.max(axis=1).astype(np.int64)
    return longer


def lies(shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Which pictures are wider than high, [n]."""
    wide: npt.NDArray[np.bool_] = shapes[:, 1] > shapes[:, 0]
    return wide
