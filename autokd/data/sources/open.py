"""`--data NAME` -> a data set: the embedded digits, an image folder, `torch/`, `hfds/`, or a pair from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from autokd.data.dataset import UNLABELLED, Part, Parts
from autokd.data.sources.huggingface import read_hfds
from autokd.data.sources.image_folder import image_roots, read_folder
from autokd.data.sources.python_pair import Pair, read_pair
from autokd.data.sources.torchvision import read_torch
from autokd.errors import DataError
from autokd.formatting import escaped
from autokd.naming import set_to

DIGITS = "digits"
FORMS = "an image folder, digits, torch/NAME or hfds/NAME"


def read_parts(data: str, data_dir: Path | None, pair: Pair | None = None) -> Parts:
    """The parts of the data set called `data`; `pair` overrules it with (train, test) map-style data sets.

    A part whose labels are all hidden is left out; where that is the test part, validation takes its place. Raises
    DataError where the data set cannot be found or is not a single-label classification.
    """
    return _without_hidden(_read(data, data_dir, pair))


def _without_hidden(parts: Parts) -> Parts:
    if _is_hidden(parts.train):
        raise DataError(f"all labels of the training part of {parts.data} are hidden (-1); give data with labels")
    if parts.val is not None and _is_hidden(parts.val):
        parts = replace(parts, val=None, note=f"The labels of the validation part of {parts.data} are hidden.")
    if parts.test is None or not _is_hidden(parts.test):
        return parts
    instead = "it is cut from training" if parts.val is None else "the validation part takes its place"
    note = f"The labels of the test part of {parts.data} are hidden, so {instead}."
    return replace(parts, val=None, test=parts.val, note=note)


def _is_hidden(part: Part) -> bool:
    return len(part) > 0 and bool((part.labels == UNLABELLED).all())


def _read(data: str, data_dir: Path | None, pair: Pair | None) -> Parts:
    if pair is not None:
        return read_pair(pair)
    if not data.strip():
        raise DataError(f"{set_to('data', data)} names nothing; give {FORMS}")
    if data != escaped(data):
        raise DataError(f"{set_to('data', escaped(data))} has characters that cannot be shown; rename it")
    if data == DIGITS:
        return _read_digits()
    if data.startswith("torch/"):
        return read_torch(data, data_dir)
    if data.startswith("hfds/"):
        return read_hfds(data, data_dir)
    if data.startswith("wds/"):
        raise DataError(f"{data}: webdataset streams have no index; unpack it to an image folder, or use hfds/NAME")
    return read_folder(Path(data))


def refuse_among_images(data: str, written: Mapping[str, Path]) -> None:
    """Raises DataError for a folder that a search writes, by its setting, where the next one would look for images."""
    if data == DIGITS or data.startswith(("torch/", "hfds/", "wds/")) or not data.strip() or data != escaped(data):
        return  # a name, or one that `read_parts` refuses
    for root in image_roots(Path(data)):
        for name, folder in written.items():
            if _real(folder).is_relative_to(_real(root)):
                raise DataError(
                    f"{set_to(name, str(folder))} is among the images of {escaped(data)}, where the next search would "
                    "look for images in it; choose a folder outside"
                )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _read_digits() -> Parts:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = (bunch.images * (255 / 16)).round().astype(np.uint8)
    part = Part(
        [f"digit {i}" for i in range(len(pixels))],
        bunch.target.astype(np.int64),
        lambda i: Image.fromarray(pixels[i]),
    )
    classes = tuple(str(name) for name in bunch.target_names)
    return Parts("digits", classes, part, None, None, "digits", flip=False, native_size=8)
