"""Test and validation images that are among the training images too: exact copies, told by the hash of their pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from autokd.data.dataset import Keys, Labels, Parts
from autokd.data.splits import Splits
from autokd.errors import DataError
from autokd.formatting import escaped, percent
from autokd.records import Copies, Task

MOST = 0.01  # of an evaluation part; with more, what it measures is partly what was learnt by heart


def image_keys(hashes: bytes) -> Keys:
    """Eight of the 32 bytes of each image's hash; they tell a million images apart."""
    return np.frombuffer(hashes, dtype="<u8")[::4]


def copies_of_training(splits: Splits, parts: Parts, hashes: bytes, name: Callable[[int], str]) -> tuple[Copies, ...]:
    """Of validation and test, which of them have any; raises DataError where they are many.

    hashes: 32 bytes of each image; name: what the user calls an image.
    """
    keys = image_keys(hashes)
    test = _copies("test", splits.test, splits.train, keys, name)
    val = _copies("validation", splits.val, splits.train, keys, name)
    for copies, part in ((test, parts.test), (val, parts.val)):
        if copies is not None and copies.count > MOST * copies.images:
            a_part = f"remove them, or give the data a {copies.part} part of its own"
            remedy = a_part if part is None else "remove them from one of the two parts"
            raise DataError(
                f"{_told(copies)} of {parts.data} (first: {copies.first}, of {copies.original}); {remedy} "
                f"(at most {percent(MOST, 0)} may be copies)"
            )
    return tuple(copies for copies in (val, test) if copies is not None)


def copy_remarks(task: Task) -> list[str]:
    """What is to be said of copies that are too few to be refused."""
    return [
        f"{_told(copies)} (first: {copies.first}, of {copies.original}); these can be learnt by heart."
        for copies in task.copies
    ]


def _copies(
    part: Literal["validation", "test"], own: Labels, train: Labels, keys: Keys, name: Callable[[int], str]
) -> Copies | None:
    copied = own[np.isin(keys[own], keys[train])]
    if not len(copied):
        return None
    first, original = (int(index) for index in (copied[0], train[keys[train] == keys[copied[0]]][0]))
    return Copies(
        part=part, count=len(copied), images=len(own), first=escaped(name(first)), original=escaped(name(original))
    )


def _told(copies: Copies) -> str:
    share = percent(copies.count / copies.images, 2)
    return f"{copies.count:,} of {copies.images:,} {copies.part} images ({share}) are copies of training images"
