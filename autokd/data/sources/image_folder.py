"""Image folders: `train/`, `val/`, `test/` with a folder a class below them, or class folders alone; `unlabelled/`."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from timm.utils.misc import natural_key

from autokd.data.dataset import UNLABELLED, Labels, PackedNames, Part, Parts, common_size
from autokd.data.open_image import Stamp, open_image, open_sides
from autokd.errors import DataError
from autokd.files import digest
from autokd.formatting import escaped
from autokd.naming import set_to

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SYNONYMS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
UNLABELLED_FOLDER = "unlabelled"
PAIR = struct.Struct("<qq")
LONGEST_SHOWN = 300  # characters of a path in a message


def read_folder(root: Path) -> Parts:
    """The parts below `root`; classes are the folders of the training part in natural order (1, 2, 10).

    Raises DataError for a folder without images, with fewer than two classes, with a class that training lacks, or
    with unlabelled images next to class folders.
    """
    if not _is_folder(root):
        raise DataError(
            f"{set_to('data', _shown(root))} is not a folder; give an image folder, digits, torch/NAME or hfds/NAME"
        )
    folders = {part: _existing(root, names) for part, names in SYNONYMS.items()}
    if folders["train"] is None and (folders["val"] or folders["test"]):
        raise DataError(f"{root} has no train/ next to its other parts; put the training images into {root / 'train'}")
    unlabelled = _scan_unlabelled(root)
    if folders["train"] is None and unlabelled:
        raise DataError(
            f"{root / UNLABELLED_FOLDER} has no train/ next to it; put the class folders into "
            f"{root / 'train'}, this one too if it is a class"
        )
    train_root = folders["train"] or root
    found = {path: _scan_classes(path) for path in (train_root, folders["val"], folders["test"]) if path}
    classes = _class_names(train_root, found[train_root])
    parts = {path: _part(path, scanned, classes, root) for path, scanned in found.items()}
    train, val, test = (parts.get(path) if path else None for path in (train_root, folders["val"], folders["test"]))
    assert train is not None  # noqa: S101
    return Parts(
        data=str(root),
        classes=classes,
        train=train,
        val=val,
        test=test,
        identity=digest(
            *classes,
            *(scanned[name].stamp for scanned in found.values() for name in sorted(scanned)),
            *([unlabelled.stamp] if unlabelled else []),
        ),
        native_size=common_size(train),
        unlabelled=_files([unlabelled], np.array([UNLABELLED]), root) if unlabelled else None,
    )


def image_roots(root: Path) -> list[Path]:
    """The folders below which every folder counts: the parts that there are, or the whole."""
    folders = [_existing(root, names) for names in (*SYNONYMS.values(), (UNLABELLED_FOLDER,))]
    return [folder for folder in folders if folder] if folders[0] else [root]


def _existing(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if _is_folder(root / name)), None)


@dataclass(frozen=True)
class _Class:
    """The image files of one class folder."""

    paths: bytes  # absolute, each ended by a zero byte
    stamps: bytes  # int64 size and time of change of each
    stamp: str  # follows every path, size and time of change

    @property
    def count(self) -> int:
        """Images."""
        return len(self.stamps) // PAIR.size


def _scan_classes(root: Path) -> dict[str, _Class]:
    """Class folders below `root` that hold images, looked at once."""
    folders = [entry for entry in _listed(str(root.absolute())) if _is_folder(entry) and not entry.name.startswith(".")]
    scanned = {entry.name: _scan(entry.path) for entry in folders}
    return {name: found for name, found in scanned.items() if found.count}


def _scan(folder: str) -> _Class:
    paths, stamps, hasher = bytearray(), bytearray(), hashlib.sha256()
    for entry in _images(folder):
        path, stamp = os.fsencode(entry.path) + b"\0", PAIR.pack(*_stamp(entry))
        hasher.update(path + stamp)
        paths += path
        stamps += stamp
    return _Class(bytes(paths), bytes(stamps), hasher.hexdigest())


def _scan_unlabelled(root: Path) -> _Class | None:
    """The images of `unlabelled/`, flat or in any folders; None without one."""
    folder = root.absolute() / UNLABELLED_FOLDER
    found = _scan(str(folder)) if _is_folder(folder) else None
    return found if found and found.count else None


def _images(folder: str) -> Iterator[os.DirEntry[str]]:
    """Image files at any depth, in the order of their names, folder by folder; links are followed.

    What several links lead to is entered once, or a few links would make a million ways. Raises DataError for a folder
    that cannot be listed, and for one that a link below it leads back to.
    """
    way = [(folder, iter(_listed(folder)))]  # from `folder` down to where we are
    linked = set()
    while way:
        entry = next(way[-1][1], None)
        if entry is None:
            way.pop()
        elif _is_folder(entry):
            if entry.is_symlink():
                target = _identity(entry.path)
                if any(target == _identity(above) for above, _ in way):
                    raise DataError(f"{_shown(entry.path)} leads back to a folder that holds it; remove this link")
                if target in linked:
                    continue
                linked.add(target)
            way.append((entry.path, iter(_listed(entry.path))))
        elif _is_image(entry.name):
            yield entry


def _listed(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds, by name; raises DataError where it cannot be listed."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise _unlistable(folder, error) from None


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)  # noqa: PTH116
    except OSError as error:
        raise _unlistable(folder, error) from None
    return status.st_dev, status.st_ino


def _unlistable(folder: str, error: OSError) -> DataError:
    return DataError(f"{_shown(folder)} cannot be listed ({error.strerror}); allow reading it, or take it out")


def _is_folder(entry: os.DirEntry[str] | Path) -> bool:
    """False where a link leads to itself or a name is too long; raises DataError where the way is barred."""
    try:
        return entry.is_dir()
    except PermissionError as error:
        if _is_image(entry.name):
            return False  # decoding will name it
        raise _unlistable(str(entry if isinstance(entry, Path) else entry.path), error) from None
    except OSError:
        return False


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS  # noqa: PTH122


def _shown(path: str | Path) -> str:
    """A path for messages: odd characters escaped, and not longer than a line or two."""
    text = escaped(str(path))
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN // 2]}...{text[-LONGEST_SHOWN // 2 :]}"


def _stamp(entry: os.DirEntry[str]) -> Stamp:
    try:
        status = entry.stat()
    except OSError:  # a link to nothing: decoding will name it
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _class_names(root: Path, scanned: dict[str, _Class]) -> tuple[str, ...]:
    if not scanned:
        raise DataError(
            f"{root} holds no images in class folders ({', '.join(sorted(EXTENSIONS))}); expected {root}/CLASS/IMAGE"
        )
    if len(scanned) == 1:
        raise DataError(
            f"{root} has one class only ({escaped(min(scanned))}); classification needs at least two class folders"
        )
    for name in scanned:
        if name != escaped(name):
            raise DataError(
                f"the class folder '{escaped(name)}' in {root} has characters that cannot be shown; rename it"
            )
    return tuple(sorted(scanned, key=lambda name: (natural_key(name), name)))  # `a` and `A` are equal naturally


def _part(root: Path, scanned: dict[str, _Class], classes: tuple[str, ...], data_root: Path) -> Part:
    if strange := sorted(scanned.keys() - set(classes)):
        raise DataError(
            f"{root} has a class '{escaped(strange[0])}' that the training part lacks; add training images for it or "
            "remove it"
        )
    if not scanned:
        raise DataError(f"{root} holds no images; remove the folder or fill it")
    present = [label for label, name in enumerate(classes) if name in scanned]
    return _files([scanned[classes[label]] for label in present], np.array(present), data_root)


def _files(folders: Sequence[_Class], labels: Labels, data_root: Path) -> Part:
    """The images of these folders, each folder with its label."""
    labels = np.repeat(labels.astype(np.int64), [folder.count for folder in folders])
    text = np.frombuffer(b"".join(folder.paths for folder in folders), dtype=np.uint8)
    paths = PackedNames(text)
    names = PackedNames(text, skip=len(os.path.join(data_root.absolute(), "")))  # noqa: PTH118
    stamps = np.frombuffer(b"".join(folder.stamps for folder in folders), dtype="<i8").reshape(-1, 2)
    return Part(names, labels, lambda i: open_image(paths[i]), paths, stamps, lambda i: open_sides(paths[i]))
