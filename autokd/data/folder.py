"""Image folders: `train/`, `val/`, `test/` with a folder a class below them, or class folders alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image
from timm.utils.misc import natural_key

from autokd.data.parts import Part, Parts, common_size
from autokd.errors import DataError
from autokd.run import digest

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SYNONYMS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def read_folder(root: Path) -> Parts:
    """The parts below `root`; classes are the folders of the training part in natural order (1, 2, 10).

    Raises DataError for a folder without images, with fewer than two classes, or with a class that training lacks.
    """
    if not root.is_dir():
        raise DataError(f"--data {root} is no folder; give an image folder, digits, torch/NAME or hfds/NAME")
    folders = {part: _existing(root, names) for part, names in SYNONYMS.items()}
    if folders["train"] is None and (folders["val"] or folders["test"]):
        raise DataError(f"{root} has no train/ beside its other parts; put the training images into {root / 'train'}")
    train_root = folders["train"] or root
    classes = _class_names(train_root)
    train = _part(train_root, classes, root)
    others = {name: _part(path, classes, root) for name in ("val", "test") if (path := folders[name])}
    found = [train, *others.values()]
    return Parts(
        data=str(root),
        classes=classes,
        train=train,
        val=others.get("val"),
        test=others.get("test"),
        identity=digest(*classes, *(_stamp(path) for part in found for path in part.paths or ())),
        native_size=common_size(train),
    )


def _existing(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _class_names(root: Path) -> tuple[str, ...]:
    folders = [entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith(".")]
    names = [name for name in folders if any(_images(root / name))]
    if not names:
        raise DataError(
            f"{root} holds no images in class folders ({', '.join(sorted(EXTENSIONS))}); expected {root}/CLASS/IMAGE"
        )
    if len(names) == 1:
        raise DataError(f"{root} has one class only ({names[0]}); classification needs at least two class folders")
    return tuple(sorted(names, key=lambda name: (natural_key(name), name)))  # a and A, 1 and 01 are alike naturally


def _images(folder: Path) -> list[Path]:
    found = []
    for directory, _, files in os.walk(folder, followlinks=True):
        found += [Path(directory, name) for name in files if os.path.splitext(name)[1].lower() in EXTENSIONS]  # noqa: PTH122
    return sorted(found)


def _part(root: Path, classes: tuple[str, ...], data_root: Path) -> Part:
    present = {entry.name for entry in os.scandir(root) if entry.is_dir() and not entry.name.startswith(".")}
    strange = sorted(name for name in present - set(classes) if _images(root / name))
    if strange:
        raise DataError(
            f"{root} has a class {strange[0]!r} that the training part lacks; add training images for it or remove it"
        )
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        images = _images(root / name) if name in present else []
        paths += images
        labels += [label] * len(images)
    if not paths:
        raise DataError(f"{root} holds no images; remove the folder or fill it")
    names = [str(path.relative_to(data_root)) for path in paths]
    return Part(names, np.array(labels, dtype=np.int64), lambda i: open_image(paths[i]), paths)


def open_image(path: Path) -> Image.Image:
    """Decode one file completely, so that a truncated one fails here."""
    with Image.open(path) as image:
        image.load()
        return image


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{path.absolute()}:{status.st_size}:{status.st_mtime_ns}"
