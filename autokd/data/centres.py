"""Clean views of validation and test images that are kept decoded: of streamed images, and as a teacher sees them.

Each trial looks at the validation images after every epoch, and each finalist at the test images: decoding these again
and again can take longer than training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from autokd.config import SearchConfig
from autokd.data.decoding import decode_all
from autokd.data.image_store import Indices, ResidentImages
from autokd.data.resident_plan import amount, room_for
from autokd.data.shapes import Pixels
from autokd.data.streaming import PartsReader, StreamedImages
from autokd.errors import ChangedData
from autokd.files import digest
from autokd.formatting import escaped
from autokd.progress import Listener


class Centres(Protocol):
    """Clean views as uint8."""

    def has(self, indices: Indices) -> bool:
        """Whether all of these are among them."""

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """[n, 3, S, S] of each group in turn."""


class KeptCentres:
    """See Centres: those of some images, mapped from a file; they are never copied to a device as a whole."""

    def __init__(self, path: Path, device: str, indices: Indices) -> None:
        self._images = ResidentImages(path, device, copied=False)
        self._order = np.argsort(indices)
        self._sorted = indices[self._order]

    def has(self, indices: Indices) -> bool:
        """See Centres."""
        return bool(np.isin(indices, self._sorted).all())

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """See Centres."""
        return self._images.batches([self._order[np.searchsorted(self._sorted, group)] for group in groups])


class StreamedCentres(StreamedImages):
    """See Centres: decoded whenever they are asked for, by a reader that reads clean views."""

    def has(self, indices: Indices) -> bool:  # noqa: ARG002 - any can be decoded
        """See Centres."""
        return True


class _Some:
    """See Source: some of the images of another one, all squares."""

    whole = False

    def __init__(self, read: PartsReader, indices: Indices) -> None:
        self.size, self.how = read.size, read.how
        self._read, self._indices = read, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __call__(self, index: int) -> Pixels:
        return self._read(int(self._indices[index]))

    def length(self, index: int) -> int:  # noqa: ARG002 - all are squares
        """See Source."""
        return self.size

    def name(self, index: int) -> str:
        """See Reader."""
        return self._read.name(int(self._indices[index]))


def keep_centres(
    read: PartsReader,
    val: Indices,
    test: Indices,
    fingerprint: str,
    workers: int,
    config: SearchConfig,
    listener: Listener,
    whose: str = "",
) -> tuple[Path, Indices] | None:
    """Decode the validation and test images once, or those of validation alone; None where not even these fit.

    read: reads clean views; fingerprint: of the task whose images these are; whose: they are, in words.
    Returns the array, and which images it holds in which order.
    """
    both, each = np.concatenate([val, test]), 3 * read.size * read.size
    chosen = next((some for some in (both, val) if _fits(len(some) * each, config)), None)
    if chosen is None:
        listener.note(f"Validation and test images{whose} do not fit either; every evaluation decodes them again")
        return None
    some = _Some(read, chosen)
    identity = digest("centres", fingerprint, digest(chosen.tobytes()))
    known = decode_all(some, identity, True, config.cache_dir, workers, listener)
    if known.corrupt:
        name = escaped(some.name(known.corrupt[0]))
        raise ChangedData(f"the image {name} is no longer as it was a moment ago; start the search again")
    told = amount(len(chosen) * each)
    if chosen is both:
        listener.note(f"{len(chosen):,} validation and test images{whose} are kept decoded ({told})")
    else:
        listener.note(f"{len(chosen):,} validation images{whose} are kept decoded ({told}); test images do not fit too")
    return None if known.path is None else (known.path, chosen)


def _fits(size: int, config: SearchConfig) -> bool:
    return size <= room_for(config, size)[0]
