"""A (train, test) pair of map-style data sets, as Python hands it over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from autokd.data.dataset import UNLABELLED, Labels, Part, Parts, common_size
from autokd.data.open_image import checked_size
from autokd.errors import DataError
from autokd.formatting import escaped

Pair = tuple[Any, Any]
CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency


def read_pair(pair: Pair) -> Parts:
    try:
        train, test = pair
        lengths = len(train), len(test)
    except (TypeError, ValueError):
        raise DataError("data= takes a name, or a (train, test) pair of map-style data sets with a length") from None
    if not all(lengths):
        raise DataError("data= was given an empty data set; both parts need images")
    parts = map_style(train, "data=", "train"), map_style(test, "data=", "test")
    classes = class_names(train, np.concatenate([part.labels for part in parts]))
    return Parts(
        data="(train, test) given from Python",
        classes=classes,
        train=parts[0],
        val=None,
        test=parts[1],
        identity=None,
        native_size=common_size(parts[0]),
        workers_can_reopen=False,
    )


def map_style(dataset: Any, data: str, part: str) -> Part:
    return Part(
        [f"{part} image {i}" for i in range(len(dataset))],
        labels_of(dataset, data),
        lambda i: as_image(dataset[i][0]),
    )


def labels_of(dataset: Any, data: str) -> Labels:
    targets: Sequence[Any] | None = getattr(dataset, "targets", None)
    if targets is None:
        targets = getattr(dataset, "labels", None)
    if targets is None or len(targets) != len(dataset) or getattr(dataset, "target_transform", None) is not None:
        targets = [dataset[i][1] for i in range(len(dataset))]
    return part_labels(targets, data)


def part_labels(targets: Iterable[Any], data: str) -> Labels:
    """The class numbers of a part; UNLABELLED for all where its publisher hides them, as many test parts do.

    Raises DataError for labels that are no class numbers, and where only some are hidden.
    """
    labels = list(targets)
    if labels and all(np.ndim(label) == 0 and label == UNLABELLED for label in labels):
        return np.full(len(labels), UNLABELLED, dtype=np.int64)
    return np.array([single_label(label, data) for label in labels], dtype=np.int64)


def single_label(label: Any, data: str) -> int:
    array = np.asarray(label)
    if array.ndim or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{data} has a label {label!r} that is not a class number; multi-label and regression data are refused"
        )
    if int(array) < 0:
        raise DataError(f"{data} has a negative label ({int(array)}), as unlabelled parts have; remove those images")
    return int(array)


def class_names(dataset: Any, labels: Labels) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None)
    count = int(labels.max()) + 1
    if names is not None and len(names) >= count:
        return tuple(escaped(str(name)) for name in names)
    return tuple(str(i) for i in range(count))


def as_image(value: Any) -> Image.Image:
    """A PIL image from what a map-style data set may hold: PIL, uint8 array [H, W(, C)], or tensor [C, H, W].

    Floats are taken as 0 to 1. Raises DataError for anything else, normalised tensors among it.
    """
    if isinstance(value, Image.Image):
        return checked_size(value)
    array = _as_array(value)
    if array.ndim == 3 and array.shape[0] in CHANNELS and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if np.issubdtype(array.dtype, np.floating):
        if not (array.min() >= 0 and array.max() <= 1):  # so that NaN is refused too
            raise DataError("data= gives float images outside 0 to 1; pass them before normalisation")
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS):
        raise DataError(f"data= gives images of shape {array.shape} and type {array.dtype}; pass PIL images or uint8")
    return Image.fromarray(array.squeeze(-1) if array.ndim == 3 and array.shape[2] == 1 else array)


def _as_array(value: Any) -> npt.NDArray[Any]:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return np.asarray(value.float() if value.is_floating_point() else value)
    return np.asarray(value)
