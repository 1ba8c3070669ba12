"""The files in a task's folder, and the images that they refer to."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from autokd.data.dataset import Parts
from autokd.data.image_store import ImageStore, ResidentImages
from autokd.data.shapes import Shapes, longest
from autokd.data.sources.open import read_parts
from autokd.data.streaming import FileReader, PartsReader, Reader, Shown, StreamedImages
from autokd.data.views import store_size
from autokd.files import damaged_in_cache, read_cache_json, write_bytes
from autokd.records import Task, Transform

PATHS, STAMPS = "paths.txt", "stamps.npy"  # the image files and their stamps, if they are streamed
Stored = dict[str, str | None]


def shown_for_views(transform: Transform, interpolation: str, size: int | None = None) -> Shown:
    """How images are stored for views of `size` pixels a side; None: the transform's own size."""
    stored = store_size(transform, size)
    return Shown(stored, interpolation, longest(stored) if transform.crop == "resized" else None)


def read_task(folder: Path) -> tuple[Task, Stored]:
    """A prepared task, and where its images are; raises CacheError where task.json is damaged."""
    path = folder / "task.json"
    content = read_cache_json(path)
    try:
        images = content["images"]
        return Task.model_validate(content["task"]), {name: images[name] for name in ("array", "centres", "data_dir")}
    except (LookupError, TypeError, ValueError):
        raise damaged_in_cache(path, "it describes no task") from None


def read_arrays(path: Path, needed: set[str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays of a prepared task; raises CacheError where they are damaged."""
    try:
        with np.load(path) as arrays:
            read = {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise damaged_in_cache(path, type(error).__name__) from None
    if missing := needed - read.keys():
        raise damaged_in_cache(path, f"{min(missing)} is missing")
    return read


def write_arrays(path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
    """See `read_arrays`."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    write_bytes(path, buffer.getvalue())


def write_file_list(folder: Path, parts: Parts) -> None:
    """Where the images are and what tells that they have changed, where they are plain files."""
    paths = [part.paths.text.tobytes() for part in parts.shipped if part.paths is not None]
    if len(paths) < len(parts.shipped):
        return
    write_bytes(folder / PATHS, b"".join(paths))
    buffer = io.BytesIO()
    np.save(buffer, np.concatenate([part.stamps for part in parts.shipped if part.stamps is not None]))
    write_bytes(folder / STAMPS, buffer.getvalue())


def in_cache(path: Path | None) -> str | None:
    """Of decoded images, below the folder of a task."""
    return None if path is None else f"../../images/{path.parent.name}/{path.name}"


def reader(folder: Path, data: str, data_dir: str | None, shown: Shown) -> Reader:
    """What reads the images of a task again."""
    if (folder / PATHS).exists():
        return FileReader(folder / PATHS, folder / STAMPS, *shown)
    return PartsReader(read_parts(data, Path(data_dir) if data_dir else None).shipped, *shown)


def open_images(
    folder: Path, task: Task, stored: Stored, shown: Shown, shapes: Shapes | None, device: str, workers: int | None
) -> ImageStore:
    """The images of a task as they are kept, or decoded by so many processes."""
    if stored["array"] is not None:
        return ResidentImages((folder / stored["array"]).resolve(), device, shapes)
    return StreamedImages(reader(folder, task.data, stored["data_dir"], shown), device, workers, shapes)
