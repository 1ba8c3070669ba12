"""A task on disk: decoded images, labels and splits under one fingerprint, for the controller and all workers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from autokd.cache.locks import mend
from autokd.config import SearchConfig
from autokd.data.centres import Centres, KeptCentres, keep_centres
from autokd.data.copies import copies_of_training, image_keys
from autokd.data.corrupt import indices_of_all, intact_parts, judge_corrupt
from autokd.data.dataset import UNLABELLED, Parts
from autokd.data.decode_time import decode_milliseconds, keep_decode_time, knows_decode_time
from autokd.data.decoding import Known, content_of, decode_all
from autokd.data.hidden_labels import labelled_share
from autokd.data.image_store import ImageStore, Indices
from autokd.data.resident_plan import fits_decoded
from autokd.data.shapes import Shapes
from autokd.data.sources.open import read_parts
from autokd.data.sources.python_pair import Pair
from autokd.data.splits import Splits, make_splits
from autokd.data.streaming import PartsReader, Shown
from autokd.data.task_files import (
    in_cache,
    open_images,
    read_arrays,
    read_task,
    shown_for_views,
    write_arrays,
    write_file_list,
)
from autokd.data.views import clean_view, make_view, store_size, to_floats
from autokd.data.workers import worker_count
from autokd.errors import DataError
from autokd.files import digest, make_folder, write_text
from autokd.progress import Listener
from autokd.records import Copies, Task, Transform

SMALL_NATIVE = 32  # pixels up to which images are shown at twice their size
SMALL_IMAGE = 64  # up to this size crops are shifts; above it, random resized crops
NEEDED = {"labels", "train", "val", "test"}  # of arrays.npz
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
    centres: Sequence[Centres] = ()  # clean views where they are not cut from `images`; the first that has them counts
    size: int | None = None  # pixels a side of views, where not those of the task

    @property
    def shown_size(self) -> int:
        """Pixels a side of views."""
        return self.size or self.task.transform.image_size

    def view(self, stored: Tensor, indices: Indices, seed: int, view: int) -> Tensor:
        """One view of each of these images, float [n, 3, S, S], from their pixels as stored; see `make_view`."""
        return make_view(stored, indices, self.task.transform, seed, view, self.shapes(indices), self.size)

    def clean_views(self, indices: Indices, batch: int) -> Iterator[Tensor]:
        """Float [n, 3, S, S] of these images in order, `batch` at a time."""
        groups = [indices[start : start + batch] for start in range(0, len(indices), batch)]
        centres = next((some for some in self.centres if some.has(indices)), None)
        if centres is not None:
            yield from map(to_floats, centres.batches(groups))
        else:
            for group, images in zip(groups, self.images.batches(groups), strict=True):
                yield clean_view(images, self.task.transform, self.shapes(group))

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
    read = PartsReader(parts.shipped, *shown_for_views(transform, transform.interpolation))
    resident = fits_decoded(read, config, listener)
    if not (resident or parts.workers_can_reopen):
        raise DataError("data= from Python is too large to keep decoded; write it to an image folder and name that")
    # a data set from Python may hold what cannot be forked; while others decode, this process only waits
    workers = worker_count(config.loader_workers, spare=0) if parts.workers_can_reopen else 0
    known = decode_all(read, parts.identity, resident, config.cache_dir, workers, listener)
    skipped = judge_corrupt(read, known.corrupt, config)
    keys = np.delete(image_keys(known.hashes), known.corrupt)
    splits = indices_of_all(make_splits(intact_parts(parts, set(known.corrupt)), keys), len(read), known.corrupt)
    copies = copies_of_training(splits, parts, known.hashes, read.name)
    whole = _fingerprint(parts, transform, splits, known)
    centres = None
    if not resident:
        shown = Shown(store_size(transform), transform.interpolation, transform.image_size)
        clean = PartsReader(parts.shipped, *shown)
        centres = keep_centres(clean, splits.val, splits.test, whole, workers, config, listener)
    folder = _write(config, parts, transform, splits, known, whole, centres, skipped, copies)
    if not knows_decode_time(folder):
        shown = Shown(store_size(transform), transform.interpolation, transform.image_size)
        keep_decode_time(folder, decode_milliseconds(parts.test or parts.val or parts.train, shown))
    return folder


def _fingerprint(parts: Parts, transform: Transform, splits: Splits, known: Known) -> str:
    """Of the task with all its labels."""
    arrays = splits.labels, splits.train, splits.val, splits.test
    content = content_of(known.hashes, known.shapes)
    return digest(content, transform, *parts.classes, *(digest(array.tobytes()) for array in arrays))


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
    task, stored = read_task(folder)
    arrays = read_arrays(folder / "arrays.npz", NEEDED)
    labels, train, val, test = (arrays[name] for name in ("labels", "train", "val", "test"))
    hidden = arrays.get("hidden")
    shown = shown_for_views(task.transform, task.transform.interpolation)
    images = open_images(folder, task, stored, shown, arrays.get("shapes"), device, loader_workers)
    centres: Sequence[Centres] = ()
    if stored["centres"] is not None and "centres" in arrays:
        centres = (KeptCentres((folder / stored["centres"]).resolve(), device, arrays["centres"]),)
    data = TaskData(task, folder, images, labels, train, val, test, centres=centres)
    if hidden is None:
        return data
    seen = labels.copy()
    seen[hidden] = UNLABELLED
    return replace(data, labels=seen, all_labels=labels)


def _write(
    config: SearchConfig,
    parts: Parts,
    transform: Transform,
    splits: Splits,
    known: Known,
    whole: str,
    centres: tuple[Path, Indices] | None,
    skipped: tuple[str, ...],
    copies: tuple[Copies, ...],
) -> Path:
    arrays: dict[str, npt.NDArray[Any]] = {
        "labels": splits.labels,
        "train": splits.train,
        "val": splits.val,
        "test": splits.test,
    }
    hidden = _hidden(splits, config.label_fraction)
    own = digest(whole, digest(hidden.tobytes())) if len(hidden) else whole
    if len(hidden):
        arrays["hidden"] = hidden
    if known.shapes is not None:
        arrays["shapes"] = known.shapes
    if centres is not None:
        arrays["centres"] = centres[1]
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
        native_size=parts.native_size,
    )
    folder = config.cache_dir / "tasks" / own
    mend(folder)
    make_folder(folder)
    write_arrays(folder / "arrays.npz", arrays)
    if known.path is None:
        write_file_list(folder, parts)
    images = {
        "array": in_cache(known.path),
        "centres": in_cache(centres[0] if centres else None),
        "data_dir": str(config.data_dir.absolute()) if config.data_dir else None,
    }
    write_text(folder / "task.json", json.dumps({"task": task.model_dump(mode="json"), "images": images}, indent=2))
    return folder


def _hidden(splits: Splits, fraction: float | None) -> Indices:
    """Training images whose label students may not see."""
    if fraction is None:
        return np.arange(0)
    own = splits.train[splits.labels[splits.train] != UNLABELLED]
    return np.setdiff1d(own, labelled_share(own, splits.labels, fraction))


def cache_folders(task_folder: Path) -> list[Path]:
    """What a task keeps in the cache: its own folder, and those of decoded images."""
    return [task_folder, *(path.parent for path in decoded_images(task_folder))]


def decoded_images(task_folder: Path) -> list[Path]:
    """The arrays of a task's decoded images: of all of them, or of those that it evaluates with."""
    stored = read_task(task_folder)[1]
    return [(task_folder / path).resolve() for name in ("array", "centres") if (path := stored[name]) is not None]
