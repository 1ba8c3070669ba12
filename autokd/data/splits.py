"""Three splits: what the data set does not ship is cut from training, stratified, always in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from autokd.data.dataset import Keys, Labels, Parts
from autokd.errors import DataError
from autokd.formatting import percent

SPLIT_SEED = 20_240_101  # a constant: the same data always give the same splits, so teachers can be kept
VAL_SHARE, TEST_SHARE, CUT_LIMIT = 0.15, 0.25, 10_000
MIN_TEST = 20
MANY_COPIES = 10  # of one image, or a hundredth of all
MOST_OF_ONE_CLASS = 0.99  # of an evaluation part; above it, accuracy tells of one class only


@dataclass(frozen=True)
class Splits:
    """Indices into the images of all parts laid end to end, as the data set ships them.

    train holds the unlabelled images too, at its end.
    """

    labels: Labels
    train: Labels
    val: Labels
    test: Labels
    note: str
    test_is_separate: bool


def make_splits(parts: Parts, keys: Keys | None = None) -> Splits:
    """Cut validation and test from training where they are not shipped.

    keys: [images of all parts], the same for identical images, which then come to lie on one side of a cut.
    Raises DataError where a class has no training image, or the splits are too small or too uneven to say anything.
    """
    shipped = parts.shipped
    starts = np.cumsum([0, *(len(part) for part in shipped)])
    ranges = iter(np.arange(a, b) for a, b in pairwise(starts))
    train = next(ranges)
    val = next(ranges) if parts.val is not None else None
    test = next(ranges) if parts.test is not None else None
    unlabelled = next(ranges, np.arange(0))
    labels = np.concatenate([part.labels for part in shipped])
    _check(parts, labels, train)
    total = len(train)
    if test is None:
        train, test = cut(train, labels, TEST_SHARE, total, keys)
    if val is None:
        train, val = cut(train, labels, VAL_SHARE, total, keys)
    if len(test) < MIN_TEST or len(val) < MIN_TEST:
        raise DataError(
            f"{parts.data} leaves {len(val)} validation and {len(test)} test images, too few to compare models "
            f"(at least {MIN_TEST} of each are needed); add images"
        )
    _refuse_uneven(parts, labels, {"validation": val, "test": test})
    _check(parts, labels, train)
    train = np.concatenate([train, unlabelled])
    return Splits(labels, train, val, test, _note(parts, len(val), len(test)), parts.test is not None)


def cut(indices: Labels, labels: Labels, share: float, total: int, keys: Keys | None = None) -> tuple[Labels, Labels]:
    """Split `indices` into (rest, cut); the cut takes `share` of `total` spread over classes by their size.

    Of identical images the first is drawn for all of them; where there are very many, they all stay.
    """
    wanted = min(share * total, CUT_LIMIT) / len(indices)
    first = indices
    if keys is not None:
        _, places, counts = np.unique(keys[indices], return_index=True, return_counts=True)
        first = indices[np.sort(places[counts <= max(MANY_COPIES, len(indices) // 100)])]
    generator = np.random.default_rng(SPLIT_SEED)
    taken = []
    for label in np.unique(labels[first]):
        own = generator.permutation(first[labels[first] == label])
        taken.append(own[: min(round(wanted * len(own)), len(own) - 1)])
    chosen = np.sort(np.concatenate(taken))
    if keys is not None:
        chosen = indices[np.isin(keys[indices], keys[chosen])]
    return np.setdiff1d(indices, chosen), chosen


def _check(parts: Parts, labels: Labels, train: Labels) -> None:
    present = np.unique(labels[train])
    if len(present) < 2:
        raise DataError(f"{parts.data} has one class only; classification needs at least two")
    missing = [parts.classes[i] for i in range(len(parts.classes)) if i not in set(present.tolist())]
    used = set(np.unique(labels).tolist())
    if stray := [name for name in missing if parts.classes.index(name) in used]:
        raise DataError(
            f"class {stray[0]!r} has images outside the training part but none in it; add some or remove them"
        )


def _refuse_uneven(parts: Parts, labels: Labels, evaluated: Mapping[str, Labels]) -> None:
    """No model can show that it is better than a constant where nearly all images are of one class."""
    for name, indices in evaluated.items():
        counts = np.bincount(labels[indices], minlength=len(parts.classes))
        most = int(counts.argmax())
        if counts[most] <= MOST_OF_ONE_CLASS * len(indices):
            continue
        largest = parts.classes[most]
        others = [parts.classes[i] for i in np.unique(labels[labels >= 0]) if i != most]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise DataError(
            f"{counts[most]:,} of {len(indices):,} {name} images of {parts.data} are of the class {largest!r}, so that "
            f"accuracy says nothing about {others[0]!r}{more}; add images of other classes, or take some of "
            f"{largest!r} away (at most {percent(MOST_OF_ONE_CLASS, 0)} may be of one class)"
        )


def _note(parts: Parts, val: int, test: int) -> str:
    cut_parts = [
        f"{name} ({count} images)"
        for name, count, part in (("validation", val, parts.val), ("test", test, parts.test))
        if part is None
    ]
    if not cut_parts:
        return "Validation and test are the data set's own."
    verb = "was" if len(cut_parts) == 1 else "were"
    cut_note = f"{' and '.join(cut_parts)} {verb} cut from training, stratified by class.".capitalize()
    return f"{parts.note} {cut_note}".strip()
