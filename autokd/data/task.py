"""A task on disk: decoded images, labels and splits under one fingerprint, for the controller and all workers."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autokd.cache.locks import mend
from autokd.config import SearchConfig
from autokd.data.copies import copies_of_training, image_keys
from autokd.data.dataset import UNLABELLED, UNREADABLE, Part, Parts
from autokd.data.decoding import Known, content_of, decode_all
from autokd.data.hidden_labels import labelled_share
from autokd.data.image_store import ImageStore, Indices, ResidentImages
from autokd.data.resident_plan import fits_decoded
from autokd.data.shapes import Shapes
from autokd.data.sources.open import read_parts
from autokd.data.sources.python_pair import Pair
from autokd.data.splits import Splits, make_splits
from autokd.data.streaming import FileReader, PartsReader, StreamedImages
from autokd.data.views import store_size
from autokd.data.workers import worker_count
from autokd.errors import DataError
from autokd.files import damaged_in_cache, digest, make_folder, read_cache_json, write_bytes, write_text
from autokd.formatting import escaped
from autokd.naming import set_to
from autokd.progress import Listener
from autokd.records import Copies, Task, Transform

SMALL_NATIVE = 32  # pixels up to which images are shown at twice their size
SMALL_IMAGE = 64  # up to this size crops are shifts; above it, random resized crops
PATHS, STAMPS = "paths.txt", "stamps.npy"  # in a task's folder: the image files and their stamps, if they are streamed
PHOTO_COLOUR = 0.2  # jitter of random resized crops by default


@dataclass(frozen=True)
class TaskData:
    """A task with its arrays. Indices point into `labels` and `images`."""

    task: Task
    folder: Path
    images: ImageStore
    labels: Indices  # UNLABELLED for training images that have none, or whose label students may not see
    train: Indices
    val: Indices
    test: Indices
    all_labels: Indices | None = None  # the hidden ones too; None: no label is hidden

    def shapes(self, indices: Indices) -> Shapes | None:
        """Of these images; None where all of the task are squares."""
        return None if self.images.shapes is None else self.images.shapes[indices]

    @property
    def labelled(self) -> Indices:
        """Positions of those training images whose label is seen."""
        return np.flatnonzero(self.labels[self.train] != UNLABELLED)

    def unhidden(self) -> TaskData:
        """What a teacher is trained on: all labels that there are, and only images that have one."""
        labels = self.labels if self.all_labels is None else self.all_labels
        train = self.train[labels[self.train] != UNLABELLED]
        return replace(self, labels=labels, train=train, all_labels=None)


def prepare_task(
    config: SearchConfig, teacher_input: int, listener: Listener, pair: Pair | None = None, trained: bool = False
) -> Path:
    """Read, decode and split what the settings name; returns the folder of the task for `open_task`.

    teacher_input: pixels a side that the teacher was made for. trained: it comes trained on these data, from Python.
    Raises DataError with the file or class at fault.
    """
    parts = read_parts(config.data, config.data_dir, pair)
    own_file = config.teacher_weights not in (None, "scratch", "pretrained")
    transform = choose_transform(config, parts, teacher_input, trained=trained or own_file)
    read = PartsReader(parts.shipped, store_size(transform), transform.interpolation, whole=transform.crop == "resized")
    resident = fits_decoded(read, config, listener)
    if not (resident or parts.workers_can_reopen):
        raise DataError("data= from Python is too large to keep decoded; write it to an image folder and name that")
    # a data set from Python may hold what cannot be forked; while others decode, this process only waits
    workers = worker_count(config.loader_workers, spare=0) if parts.workers_can_reopen else 0
    known = decode_all(read, parts.identity, resident, config.cache_dir, workers, listener)
    skipped = _judge_corrupt(read, known.corrupt, config)
    keys = np.delete(image_keys(known.hashes), known.corrupt)
    splits = _without(make_splits(_intact(parts, set(known.corrupt)), keys), len(read), known.corrupt)
    copies = copies_of_training(splits, parts, known.hashes, read.name)
    return _write(config, parts, transform, splits, known, skipped, copies)


def choose_transform(config: SearchConfig, parts: Parts, teacher_input: int, trained: bool = False) -> Transform:
    """Image size: as asked, else what the images round up to (a multiple of 32), never above the teacher's own.

    Images up to 32 px are shown at twice their size, since ordinary stems throw most of them away (measured by
    benchmarks/bench_small_images.py), but not to a teacher that comes trained on these data: it knows them as they are.
    Resized crops are of photographs, whose light varies: they get colour jitter unless told otherwise.
    """
    size = config.image_size
    if size is None:
        native = parts.native_size or teacher_input
        shown = native if trained or native > SMALL_NATIVE else 2 * native
        size = min(teacher_input, 32 * -(-shown // 32))
    flip = parts.flip if config.flip is None else config.flip
    small = size <= SMALL_IMAGE
    colour = (0.0 if small else PHOTO_COLOUR) if config.colour is None else config.colour
    return Transform(
        image_size=size,
        crop="padded" if small else "resized",
        flip=flip,
        colour=colour,
        erase=config.erase,
        trivial_augment=config.trivial_augment,
    )


def open_task(folder: Path, device: str = "cpu", loader_workers: int | None = None) -> TaskData:
    """A prepared task, its images on `device`; `loader_workers` decode them where they are not kept decoded."""
    task, stored = _read_task(folder)
    arrays = _read_arrays(folder / "arrays.npz")
    labels, train, val, test = (arrays[name] for name in ("labels", "train", "val", "test"))
    hidden = arrays.get("hidden")
    images = _open_images(folder, stored, task, arrays.get("shapes"), device, loader_workers)
    if hidden is None:
        return TaskData(task, folder, images, labels, train, val, test)
    seen = labels.copy()
    seen[hidden] = UNLABELLED
    return TaskData(task, folder, images, seen, train, val, test, all_labels=labels)


def _read_task(folder: Path) -> tuple[Task, dict[str, str | None]]:
    """A prepared task, and where its images are; raises CacheError where task.json is damaged."""
    path = folder / "task.json"
    content = read_cache_json(path)
    try:
        images = content["images"]
        return Task.model_validate(content["task"]), {name: images[name] for name in ("array", "data_dir")}
    except (LookupError, TypeError, ValueError):
        raise damaged_in_cache(path, "it describes no task") from None


def _read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Labels, splits and shapes of a prepared task; raises CacheError where they are damaged."""
    try:
        with np.load(path) as arrays:
            read = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise damaged_in_cache(path, type(error).__name__) from None
    if missing := {"labels", "train", "val", "test"} - read.keys():
        raise damaged_in_cache(path, f"{min(missing)} is missing")
    return read


def _open_images(
    folder: Path,
    images: dict[str, str | None],
    task: Task,
    shapes: Shapes | None,
    device: str,
    loader_workers: int | None,
) -> ImageStore:
    if images["array"] is not None:
        return ResidentImages((folder / images["array"]).resolve(), device, shapes)
    how = store_size(task.transform), task.transform.interpolation, task.transform.crop == "resized"
    if (folder / PATHS).exists():
        return StreamedImages(FileReader(folder / PATHS, folder / STAMPS, *how), device, loader_workers, shapes)
    parts = read_parts(task.data, Path(d) if (d := images["data_dir"]) else None)
    return StreamedImages(PartsReader(parts.shipped, *how), device, loader_workers, shapes)


def _judge_corrupt(read: PartsReader, corrupt: list[int], config: SearchConfig) -> tuple[str, ...]:
    names = [escaped(read.name(i)) for i in corrupt]
    if names and config.on_corrupt == "refuse":
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        raise DataError(
            f"{names[0]}{more} in {config.data} cannot be read as an image{_why(read, corrupt[0])}; repair or remove "
            f"it, or add {set_to('on_corrupt', 'skip')}"
        )
    return tuple(names)


def _why(read: PartsReader, index: int) -> str:
    try:
        read(index)
    except UNREADABLE as error:
        return f" ({' '.join(str(error).split())})"
    return ""  # mended meanwhile


def _intact(parts: Parts, corrupt: set[int]) -> Parts:
    """The same parts without corrupt images."""
    if not corrupt:
        return parts
    start = 0
    kept: dict[str, Any] = {}
    for name in ("train", "val", "test", "unlabelled"):
        part: Part | None = getattr(parts, name)
        if part is None:
            continue
        own = [i for i in range(len(part)) if start + i not in corrupt]
        kept[name] = Part([part.names[i] for i in own], part.labels[own], part.read)
        start += len(part)
    return replace(parts, **kept)


def _without(splits: Splits, total: int, corrupt: list[int]) -> Splits:
    """Indices into all images again, where the splits were made without the corrupt ones."""
    if not corrupt:
        return splits
    kept = np.setdiff1d(np.arange(total), corrupt)
    labels = np.zeros(total, dtype=np.int64)
    labels[kept] = splits.labels
    return replace(splits, labels=labels, train=kept[splits.train], val=kept[splits.val], test=kept[splits.test])


def _write(
    config: SearchConfig,
    parts: Parts,
    transform: Transform,
    splits: Splits,
    known: Known,
    skipped: tuple[str, ...],
    copies: tuple[Copies, ...],
) -> Path:
    arrays: dict[str, npt.NDArray[Any]] = {
        "labels": splits.labels,
        "train": splits.train,
        "val": splits.val,
        "test": splits.test,
    }
    whole = digest(
        content_of(known.hashes, known.shapes),
        transform,
        *parts.classes,
        *(digest(array.tobytes()) for array in arrays.values()),
    )
    hidden = _hidden(splits, config.label_fraction)
    own = digest(whole, digest(hidden.tobytes())) if len(hidden) else whole
    if len(hidden):
        arrays["hidden"] = hidden
    if known.shapes is not None:
        arrays["shapes"] = known.shapes
    task = Task(
        data=parts.data,
        fingerprint=own,
        classes=parts.classes,
        train=len(splits.train),
        val=len(splits.val),
        test=len(splits.test),
        transform=transform,
        split_note=splits.note,
        test_is_separate=splits.test_is_separate,
        skipped=skipped,
        copies=copies,
        labelled=int((splits.labels[splits.train] != UNLABELLED).sum()) - len(hidden),
        unhidden_fingerprint=whole if len(hidden) else None,
    )
    folder = config.cache_dir / "tasks" / own
    mend(folder)
    make_folder(folder)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(folder / "arrays.npz", buffer.getvalue())
    path = known.path
    if path is None and parts.train.paths is not None:
        _write_files(folder, parts)
    array = None if path is None else f"../../images/{path.parent.name}/{path.name}"
    images = {"array": array, "data_dir": str(config.data_dir.absolute()) if config.data_dir else None}
    write_text(folder / "task.json", json.dumps({"task": task.model_dump(mode="json"), "images": images}, indent=2))
    return folder


def _write_files(folder: Path, parts: Parts) -> None:
    """Where the images are and what tells that they have changed."""
    write_bytes(folder / PATHS, b"".join(part.paths.text.tobytes() for part in parts.shipped if part.paths is not None))
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([part.stamps for part in parts.shipped if part.stamps is not None]))
    write_bytes(folder / STAMPS, buffer.getvalue())


def _hidden(splits: Splits, fraction: float | None) -> Indices:
    """Training images whose label students may not see."""
    if fraction is None:
        return np.arange(0)
    own = splits.train[splits.labels[splits.train] != UNLABELLED]
    return np.setdiff1d(own, labelled_share(own, splits.labels, fraction))


def cache_folders(task_folder: Path) -> list[Path]:
    """What a task keeps in the cache: its own folder, and that of its decoded images where there is one."""
    images = decoded_images(task_folder)
    return [task_folder] if images is None else [task_folder, images.parent]


def decoded_images(task_folder: Path) -> Path | None:
    """The array of a task's decoded images; None where they are read from their files."""
    array = _read_task(task_folder)[1]["array"]
    return None if array is None else (task_folder / array).resolve()
