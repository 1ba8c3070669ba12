"""Data sets by name: the embedded digits, timm's `torch/` and `hfds/`, and a pair of map-style data sets."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from autokd.data.folder import read_folder
from autokd.data.parts import Labels, Part, Parts, common_size
from autokd.errors import DataError
from autokd.files import digest

Pair = tuple[Any, Any]
CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency


def read_parts(data: str, data_dir: Path | None, pair: Pair | None = None) -> Parts:
    """The parts of the data set called `data`; `pair` overrules it with (train, test) map-style data sets.

    Raises DataError where the data set cannot be found or is no single-label classification.
    """
    if pair is not None:
        return _read_pair(pair)
    if data == "digits":
        return _read_digits()
    if data.startswith("torch/"):
        return _read_torch(data, data_dir)
    if data.startswith("hfds/"):
        return _read_hfds(data, data_dir)
    if data.startswith("wds/"):
        raise DataError(f"{data}: webdataset streams have no index; unpack it to an image folder, or use hfds/NAME")
    return read_folder(Path(data))


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


def _read_torch(data: str, data_dir: Path | None) -> Parts:
    from timm.data import create_dataset
    from timm.data.dataset_factory import _TORCH_BASIC_DS

    name = data.removeprefix("torch/").lower()
    if name not in _TORCH_BASIC_DS:
        known = ", ".join(f"torch/{known}" for known in sorted(_TORCH_BASIC_DS))
        raise DataError(f"{data} is not known; choose {known}, or unpack it to an image folder")
    root = data_dir or Path("data")

    def load(split: str, download: bool) -> Any:
        with redirect_stdout(sys.stderr):  # torchvision reports its downloads there; stdout is for the answer
            return create_dataset(data, root=str(root), split=split, download=download)

    def load_or_download(split: str) -> Any:
        try:
            return load(split, download=False)
        except RuntimeError:
            try:
                return load(split, download=True)
            except (OSError, RuntimeError, tarfile.TarError) as error:
                why = " ".join(str(error).split())  # torchvision writes several lines
                raise DataError(f"{data} is not in {root} and cannot be downloaded ({why}); put it there") from None

    train, test = load_or_download("train"), load_or_download("test")
    classes = _class_names(train, _labels_of(train, data))
    parts = _map_style(train, data, "train"), _map_style(test, data, "test")
    identity = digest(data, _stamp_of_files(_folder_of(train)))
    return Parts(data, classes, parts[0], None, parts[1], identity, native_size=common_size(parts[0]))


def _folder_of(dataset: Any) -> Path:
    """Where torchvision keeps the files of a data set: MNIST and its kin name it, CIFAR names it below the root."""
    return Path(getattr(dataset, "raw_folder", None) or Path(dataset.root, dataset.base_folder))


def _stamp_of_files(folder: Path) -> str:
    """Follows the path, size and time of change of every file in the folder."""
    files = sorted(path for path in folder.absolute().rglob("*") if path.is_file())
    return digest(*(f"{path}:{(status := path.stat()).st_size}:{status.st_mtime_ns}" for path in files))


def _read_hfds(data: str, data_dir: Path | None) -> Parts:
    try:
        import datasets
    except ImportError:
        raise DataError(f"{data} needs the package `datasets`; pip install 'autokd[datasets]'") from None
    from timm.data import create_dataset

    def load(split: str) -> Any:
        return create_dataset(data, root=str(data_dir) if data_dir else None, split=split)

    try:
        train = load("train")
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{data} cannot be loaded ({why}); check its name and the network") from None
    parts: dict[str, Part] = {}
    stamps = [_stamp_of_hf(train)]
    for name, splits in {"val": ("validation", "valid", "val"), "test": ("test",)}.items():
        for split in splits:
            try:
                loaded = load(split)
                parts[name] = _hf_part(loaded, data, name)
                stamps.append(_stamp_of_hf(loaded))
                break
            except (ValueError, KeyError):
                continue
    reader = train.reader
    labels = np.array([_single_label(label, data) for label in reader.iter_targets()], dtype=np.int64)
    indices = {index: name for name, index in reader.class_to_idx.items()}
    classes = tuple(str(indices.get(i, i)) for i in range(int(labels.max()) + 1 if not indices else max(indices) + 1))
    part = _hf_part(train, data, "train", labels)
    identity = None if None in stamps else digest(data, *parts, *stamps)
    return Parts(data, classes, part, parts.get("val"), parts.get("test"), identity, native_size=common_size(part))


def _stamp_of_hf(dataset: Any) -> str | None:
    """Follows the table of a split: its fingerprint, and size and time of change of its files in the cache.

    None where the table holds paths of images instead of images, for those may change without the table.
    """
    table = dataset.reader.dataset
    if not (len(table) and table[0][dataset.reader.image_key]["bytes"]):
        return None
    files = [Path(file["filename"]) for file in table.cache_files]
    stamps = [f"{file}:{(status := file.stat()).st_size}:{status.st_mtime_ns}" for file in files]
    return digest(table._fingerprint, *stamps) if stamps else None


def _hf_part(dataset: Any, data: str, part: str, labels: Labels | None = None) -> Part:
    reader = dataset.reader
    if labels is None:
        labels = np.array([_single_label(label, data) for label in reader.iter_targets()], dtype=np.int64)

    def read(index: int) -> Image.Image:
        with reader[index][0] as file:
            image = Image.open(io.BytesIO(file.read()))
            image.load()
            return image

    return Part([f"{part} image {i}" for i in range(len(labels))], labels, read)


def _read_pair(pair: Pair) -> Parts:
    try:
        train, test = pair
        lengths = len(train), len(test)
    except (TypeError, ValueError):
        raise DataError("data= takes a name, or a (train, test) pair of map-style data sets with a length") from None
    if not all(lengths):
        raise DataError("data= was given an empty data set; both parts need images")
    parts = _map_style(train, "data=", "train"), _map_style(test, "data=", "test")
    classes = _class_names(train, np.concatenate([part.labels for part in parts]))
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


def _map_style(dataset: Any, data: str, part: str) -> Part:
    return Part(
        [f"{part} image {i}" for i in range(len(dataset))],
        _labels_of(dataset, data),
        lambda i: as_image(dataset[i][0]),
    )


def _labels_of(dataset: Any, data: str) -> Labels:
    targets: Sequence[Any] | None = getattr(dataset, "targets", None)
    if targets is None:
        targets = getattr(dataset, "labels", None)
    if targets is None or len(targets) != len(dataset) or getattr(dataset, "target_transform", None) is not None:
        targets = [dataset[i][1] for i in range(len(dataset))]
    return np.array([_single_label(label, data) for label in targets], dtype=np.int64)


def _single_label(label: Any, data: str) -> int:
    array = np.asarray(label)
    if array.ndim or not np.issubdtype(array.dtype, np.integer):
        raise DataError(
            f"{data} has a label {label!r} that is no class number; multi-label and regression data are refused"
        )
    if int(array) < 0:
        raise DataError(f"{data} has a negative label ({int(array)}), as unlabelled parts have; remove those images")
    return int(array)


def _class_names(dataset: Any, labels: Labels) -> tuple[str, ...]:
    names = getattr(dataset, "classes", None)
    count = int(labels.max()) + 1
    if names is not None and len(names) >= count:
        return tuple(str(name) for name in names)
    return tuple(str(i) for i in range(count))


def as_image(value: Any) -> Image.Image:
    """A PIL image from what a map-style data set may hold: PIL, uint8 array [H, W(, C)], or tensor [C, H, W].

    Floats are taken as 0 to 1. Raises DataError for anything else, normalised tensors among it.
    """
    if isinstance(value, Image.Image):
        return value
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
