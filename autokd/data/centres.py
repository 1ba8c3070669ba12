"""Clean views of validation and test images that are kept decoded where all images are too many for that.

Each trial looks at the validation images after every epoch, and each finalist at the test images: decoding these again
and again can take longer than training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from autokd.config import SearchConfig
from autokd.data.decoding import decode_all
from autokd.data.image_store import Indices, ResidentImages
from autokd.data.resident_plan import amount, room_for
from autokd.data.shapes import Pixels, centre
from autokd.data.splits import Splits
from autokd.data.streaming import PartsReader
from autokd.errors import ChangedData
from autokd.files import digest
from autokd.formatting import escaped
from autokd.progress import Listener


class CentreReader:
    """See Source: the central squares of some images."""

    whole = False

    def __init__(self, read: PartsReader, indices: Indices, size: int) -> None:
        self.size, self.interpolation = size, read.interpolation
        self._read, self._indices = read, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __call__(self, index: int) -> Pixels:
        return np.ascontiguousarray(centre(self._read(int(self._indices[index])), self.size))

    def length(self, index: int) -> int:  # noqa: ARG002 - all are squares
        """See Source."""
        return self.size

    def name(self, index: int) -> str:
        """See Reader."""
        return self._read.name(int(self._indices[index]))


class Centres:
    """The clean views of some images as uint8, mapped from a file; they are never copied to a device as a whole."""

    def __init__(self, path: Path, device: str, indices: Indices) -> None:
        self._images = ResidentImages(path, device, copied=False)
        self._order = np.argsort(indices)
        self._sorted = indices[self._order]

    def has(self, indices: Indices) -> bool:
        """Whether all of these are kept."""
        return bool(np.isin(indices, self._sorted).all())

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """uint8 [n, 3, S, S] of each group in turn."""
        return self._images.batches([self._order[np.searchsorted(self._sorted, group)] for group in groups])


def keep_centres(
    read: PartsReader,
    splits: Splits,
    size: int,
    fingerprint: str,
    workers: int,
    config: SearchConfig,
    listener: Listener,
) -> tuple[Path, Indices] | None:
    """Decode the validation and test images once, or those of validation alone; None where not even these fit.

    size: pixels a side of the clean view; fingerprint: of the task whose images these are.
    Returns the array, and which images it holds in which order.
    """
    both = np.concatenate([splits.val, splits.test])
    chosen = next((some for some in (both, splits.val) if _fits(len(some) * 3 * size * size, config)), None)
    if chosen is None:
        listener.note("Validation and test images do not fit either, and are decoded again for every evaluation")
        return None
    some = CentreReader(read, chosen, size)
    identity = digest("centres", fingerprint, digest(chosen.tobytes()))
    known = decode_all(some, identity, True, config.cache_dir, workers, listener)
    if known.corrupt:
        name = escaped(some.name(known.corrupt[0]))
        raise ChangedData(f"the image {name} is no longer as it was a moment ago; start the search again")
    told = amount(len(chosen) * 3 * size * size)
    if chosen is both:
        listener.note(f"{len(chosen):,} validation and test images are kept decoded ({told})")
    else:
        listener.note(f"{len(chosen):,} validation images are kept decoded ({told}); test images do not fit too")
    return None if known.path is None else (known.path, chosen)


def _fits(size: int, config: SearchConfig) -> bool:
    return size <= room_for(config, size)[0]
