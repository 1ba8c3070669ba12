"""`torch/NAME`: data sets of torchvision, by way of timm."""

from __future__ import annotations

import sys
import tarfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from autokd.data.dataset import Parts, common_size
from autokd.data.sources.python_pair import class_names, labels_of, map_style
from autokd.errors import DataError
from autokd.files import digest

NAMES = ("cifar10", "cifar100", "fashion_mnist", "kmnist", "mnist")
CHARACTERS = ("kmnist", "mnist")  # which are others, or none, seen in a mirror


def read_torch(data: str, data_dir: Path | None) -> Parts:
    from timm.data import create_dataset

    name = data.removeprefix("torch/").lower()
    if name not in NAMES:
        known = ", ".join(f"torch/{known}" for known in NAMES)
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
    classes = class_names(train, labels_of(train, data))
    parts = map_style(train, data, "train"), map_style(test, data, "test")
    identity = digest(data, _stamp_of_files(_folder_of(train)))
    flip, size = name not in CHARACTERS, common_size(parts[0])
    return Parts(data, classes, parts[0], None, parts[1], identity, flip=flip, native_size=size)


def _folder_of(dataset: Any) -> Path:
    """Where torchvision keeps the files of a data set: MNIST and similar ones name it, CIFAR within the root."""
    return Path(getattr(dataset, "raw_folder", None) or Path(dataset.root, dataset.base_folder))


def _stamp_of_files(folder: Path) -> str:
    """Follows the path, size and time of change of every file in the folder."""
    files = sorted(path for path in folder.absolute().rglob("*") if path.is_file())
    return digest(*(f"{path}:{(status := path.stat()).st_size}:{status.st_mtime_ns}" for path in files))
