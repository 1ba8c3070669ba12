"""What a teacher with a preprocessing of its own sees: clean views made by that, and the students' views in its size.

A view is a crop box in the picture and some numbers, so that it can be shown in any size. For another size than the
students' the images are stored a second time; with the same size teacher and students share the stored ones.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autokd.config import SearchConfig
from autokd.data.centres import Centres, KeptCentres, StreamedCentres, keep_centres
from autokd.data.decoding import decode_all
from autokd.data.resident_plan import fits_decoded
from autokd.data.sources.open import read_parts
from autokd.data.sources.python_pair import Pair
from autokd.data.streaming import PartsReader, Shown
from autokd.data.task import TaskData, open_task
from autokd.data.task_files import (
    Stored,
    in_cache,
    open_images,
    read_arrays,
    read_task,
    reader,
    shown_for_views,
    write_arrays,
    write_file_list,
)
from autokd.data.workers import worker_count
from autokd.errors import ChangedData, DataError
from autokd.files import damaged_in_cache, digest, read_cache_json, write_text
from autokd.progress import Listener
from autokd.records import Preprocessing


def look_as_teacher(
    config: SearchConfig,
    folder: Path,
    preprocessing: Preprocessing | None,
    listener: Listener,
    pair: Pair | None = None,
) -> None:
    """Decode what the teacher sees of a prepared task, as far as there is room; for `as_teacher_sees`.

    Raises DataError for images from Python that there is no room for, and ChangedData.
    """
    if preprocessing is None:
        return
    data, parts = open_task(folder, loader_workers=0), read_parts(config.data, config.data_dir, pair)
    workers = worker_count(config.loader_workers, spare=0) if parts.workers_can_reopen else 0
    size, transform = preprocessing.image_size, data.task.transform
    arrays: dict[str, npt.NDArray[Any]] = {}
    stored: Stored = {"array": None, "centres": None}
    if size != transform.image_size:
        listener.note(f"The teacher sees the same views at {size} px, from images of their own")
        read = PartsReader(parts.shipped, *shown_for_views(transform, preprocessing.interpolation, size))
        resident = fits_decoded(read, config, listener)
        known = decode_all(read, parts.identity, resident, config.cache_dir, workers, listener)
        used = np.concatenate([data.train, data.val, data.test])
        if np.isin(known.corrupt, used).any():
            raise ChangedData("images have changed while they were decoded; start the search again")
        stored["array"] = in_cache(known.path)
        if known.shapes is not None:
            arrays["shapes"] = known.shapes
    clean, shared = PartsReader(parts.shipped, *_shown_clean(preprocessing)), data.task.shared_fingerprint
    centres = keep_centres(clean, data.val, data.test, shared, workers, config, listener, " as the teacher sees them")
    if centres is not None:
        stored["centres"], arrays["centres"] = in_cache(centres[0]), centres[1]
    complete = centres is not None and len(centres[1]) == len(data.val) + len(data.test)
    if not parts.workers_can_reopen and not (complete and (stored["array"] or size == transform.image_size)):
        raise DataError("data= from Python is too large to keep decoded; write it to an image folder and name that")
    write_file_list(folder, parts)
    write_arrays(_path(folder, preprocessing, "npz"), arrays)
    write_text(_path(folder, preprocessing, "json"), json.dumps({"images": stored}, indent=2))


def as_teacher_sees(
    data: TaskData, preprocessing: Preprocessing | None, device: str, loader_workers: int | None = None
) -> TaskData:
    """The same task with the images as the teacher sees them, on `device`."""
    if preprocessing is None:
        return data
    folder, task = data.folder, data.task
    stored = _read(folder, preprocessing)
    arrays = read_arrays(_path(folder, preprocessing, "npz"), set())
    images = data.images
    if preprocessing.image_size != task.transform.image_size:
        shown = shown_for_views(task.transform, preprocessing.interpolation, preprocessing.image_size)
        images = open_images(folder, task, stored, shown, arrays.get("shapes"), device, loader_workers)
    centres: list[Centres] = []
    if stored["centres"] is not None:
        centres.append(KeptCentres((folder / stored["centres"]).resolve(), device, arrays["centres"]))
    if not (centres and centres[0].has(data.test)):
        clean = reader(folder, task.data, stored["data_dir"], _shown_clean(preprocessing))
        centres.append(StreamedCentres(clean, device, loader_workers))
    return replace(data, images=images, centres=centres, size=preprocessing.image_size)


def teacher_arrays(folder: Path, preprocessing: Preprocessing | None) -> list[Path]:
    """The arrays of decoded images that belong to what the teacher sees."""
    if preprocessing is None:
        return []
    stored = _read(folder, preprocessing)
    return [(folder / path).resolve() for name in ("array", "centres") if (path := stored[name]) is not None]


def _shown_clean(preprocessing: Preprocessing) -> Shown:
    how = preprocessing
    return Shown(how.resized, how.interpolation, how.image_size, how.squash)


def _read(folder: Path, preprocessing: Preprocessing) -> Stored:
    path = _path(folder, preprocessing, "json")
    try:
        images = read_cache_json(path)["images"]
        data_dir = read_task(folder)[1]["data_dir"]
        return {"array": images["array"], "centres": images["centres"], "data_dir": data_dir}
    except (LookupError, TypeError):
        raise damaged_in_cache(path, "it describes no images") from None


def _path(folder: Path, preprocessing: Preprocessing, kind: str) -> Path:
    """In a task's folder, which teachers share."""
    return folder / f"teacher-{digest(preprocessing)}.{kind}"
