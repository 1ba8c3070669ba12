"""Soft labels: the teacher's raw logits for every view of every training image, written once.

A folder per (teacher, task, views' seed, versions), a file per view, fp16 [images, classes], each with a checksum.
Written view by view, so that a kill loses one view at most; a longer schedule adds views to the same folder.
"""

from __future__ import annotations

import fcntl
import io
import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor

from autokd.data.images import Indices
from autokd.data.task import TaskData
from autokd.data.views import make_view, normalise
from autokd.distill.precision import autocast, gains_from_bf16
from autokd.errors import DataError
from autokd.progress import Listener
from autokd.records import Record
from autokd.run import Stopwatch, digest, write_bytes, write_text
from autokd.teacher.prepare import ReadyTeacher

FORMAT = 1
BATCH = 128


class SoftLabelSet(Record):
    """Where soft labels lie and what they cost; plain data that any worker can open."""

    folder: str
    views: int
    reused: int  # views that an earlier run has written
    seconds: float  # device seconds of the views written now
    total_seconds: float  # device seconds of all of them, whenever they were written


class SoftLabels:
    """The teacher's logits, memory-mapped; see distill.loop.TeacherLogits."""

    def __init__(self, folder: Path, views: int, device: str) -> None:
        self._views = [np.load(_view_path(folder, view), mmap_mode="r") for view in range(views)]
        self._device = device

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:  # noqa: ARG002 - stored already
        """fp16 [len(positions), classes] on the device; raises IndexError for a view that was not written."""
        return torch.from_numpy(self._views[view][positions]).to(self._device, non_blocking=True)


def write_soft_labels(
    teacher: ReadyTeacher, data: TaskData, views: int, views_seed: int, cache_dir: Path, device: str, listener: Listener
) -> SoftLabelSet:
    """Write the views that are missing; raises DataError where the disk is too small for them."""
    folder = cache_dir / "softlabels" / _key(teacher, data, views_seed, device)
    folder.mkdir(parents=True, exist_ok=True)
    with _writing(folder):
        done = _checked_views(folder)
        missing = [view for view in range(views) if view not in done]
        _check_disk(folder, len(missing) * len(data.train) * len(data.task.classes) * 2)
        if done and len(missing) < views:
            listener.note(f"Reusing the soft labels of {views - len(missing)} views from an earlier run.")
        spent = 0.0
        for number, view in enumerate(missing):
            watch = Stopwatch()
            content = _npy(_logits(teacher, data, views_seed, view, device))
            write_bytes(_view_path(folder, view), content)
            seconds = watch.seconds
            done[view] = {"crc32": zlib.crc32(content), "seconds": seconds}
            write_text(
                folder / "manifest.json", json.dumps({str(v): entry for v, entry in sorted(done.items())}, indent=1)
            )
            spent += seconds
            left = spent / (number + 1) * (len(missing) - number - 1)
            listener.advance(f"soft labels of {teacher.record.name}", number + 1, len(missing), left)
        total = sum(done[view]["seconds"] for view in range(views))
    return SoftLabelSet(
        folder=str(folder), views=views, reused=views - len(missing), seconds=spent, total_seconds=total
    )


def seconds_since(labels: SoftLabelSet, moment: float) -> float:
    """Device seconds of the views written at or after `moment` (seconds since the epoch), whoever was interrupted."""
    folder = Path(labels.folder)
    done = _checked_views(folder)
    recent = [view for view in range(labels.views) if _view_path(folder, view).stat().st_mtime >= moment]
    return sum(done[view]["seconds"] for view in recent)


def _key(teacher: ReadyTeacher, data: TaskData, views_seed: int, device: str) -> str:
    kind = torch.device(device).type
    precision = "bf16" if gains_from_bf16(kind) else "fp32"
    return digest(
        FORMAT,
        teacher.record.name,  # equal tensors can mean different networks
        teacher.record.fingerprint,
        teacher.normalisation,
        data.task.fingerprint,
        views_seed,
        "fp16",
        kind,
        precision,
        torch.__version__,
        timm.__version__,
    )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """One writer at a time; a second one waits and then finds the views written."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _checked_views(folder: Path) -> dict[int, dict[str, float]]:
    """Views on disk whose checksum holds."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return {}
    try:
        entries = {
            int(view): {"crc32": int(entry["crc32"]), "seconds": float(entry["seconds"])}
            for view, entry in json.loads(manifest.read_text(encoding="utf-8")).items()
        }
    except (AttributeError, LookupError, TypeError, ValueError):  # damaged: nothing in this folder can be trusted
        return {}
    return {view: entry for view, entry in entries.items() if _crc32(_view_path(folder, view)) == entry["crc32"]}


def _crc32(path: Path) -> int | None:
    if not path.exists():
        return None
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            value = zlib.crc32(block, value)
    return value


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > 0.9 * free:
        raise DataError(
            f"the soft labels need {needed / 1e9:.1f} GB and {folder} has {free / 1e9:.1f} GB free; "
            "give --cache-dir on a larger disk, or fewer --epochs"
        )


def _view_path(folder: Path, view: int) -> Path:
    return folder / f"view-{view:04d}.npy"


@torch.inference_mode()
def _logits(
    teacher: ReadyTeacher, data: TaskData, views_seed: int, view: int, device: str
) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    logits = np.empty((len(data.train), len(data.task.classes)), dtype=np.float16)
    for start in range(0, len(data.train), BATCH):
        indices = data.train[start : start + BATCH]
        images = make_view(data.images.take(indices), indices, data.task.transform, views_seed, view)
        with autocast(device):
            scores = teacher.model(normalise(images, *teacher.normalisation))
        logits[start : start + len(indices)] = scores.half().cpu().numpy()
    return logits


def _npy(array: np.ndarray[tuple[int, int], np.dtype[np.float16]]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
