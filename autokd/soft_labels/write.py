"""Soft labels: the teacher's raw logits for every view of every training image, written once.

A folder per (teacher, task, views' seed, versions). Written chunk by chunk, so that a kill loses one chunk at most; a
longer schedule adds views to the same folder.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import timm
import torch

from autokd.cache.locks import Hold, one_at_a_time, remove
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.cache.soft_label_entry import About, Chunk, Layout, View
from autokd.data.task import TaskData
from autokd.files import digest
from autokd.formatting import duration, file_size
from autokd.machine import Stopwatch
from autokd.precision import precision_of
from autokd.progress import Listener
from autokd.records import SoftLabelSet
from autokd.soft_labels.disk_plan import check_all_fit, make_plan
from autokd.soft_labels.format import Rows, ViewCheck, check_view, entry_path, layout_of, mend_frame, write_chunk
from autokd.soft_labels.live_teacher import RunningTeacher
from autokd.soft_labels.topk import pack
from autokd.teacher.prepare import ReadyTeacher

FORMAT = 1
WARM_UP = 8  # images of the first pass, which is not timed


def write_soft_labels(
    teacher: ReadyTeacher,
    data: TaskData,
    views: int,
    views_seed: int,
    cache_dir: Path,
    device: str,
    listener: Listener,
    *,
    limit_gb: float | None = None,
    settled: SoftLabelSet | None = None,
    hold: Hold | None = None,
) -> SoftLabelSet:
    """Write what is missing of these views, or of as many as fit; none of them where the teacher has to run live.

    limit_gb: GB that soft labels in the cache may take; settled: what the run was started with and has to keep;
    hold: marks the set as in use. Raises DataError where a settled set no longer fits.
    """
    hold = hold or Hold()
    folder = cache_dir / "softlabels" / _key(teacher, data, views_seed, device)
    if settled is not None and settled.live:
        _tell(settled.remarks, listener)
        return settled
    hold.add(folder)
    with one_at_a_time(folder / ".lock", listener, "Another process is writing these soft labels; waiting for it."):
        work = _Work(teacher, data, views_seed, device, folder, layout_of(len(data.train), len(data.task.classes)))
        checks = work.checked(settled.views if settled else views, listener)
        missing = [sum(map(work.layout.chunk_bytes, check.missing)) for check in checks]
        limit = None if limit_gb is None else limit_gb * 1e9
        if settled is not None:
            check_all_fit(folder, missing, limit)
        plan = make_plan(folder, missing, limit, listener)
        checks = checks[: plan.views]
        remarks = settled.remarks if settled else (*plan.remarks, *_many_classes(work.layout, plan.views))
        _tell(remarks, listener)
        written, total = work.write(checks, listener)
    if not checks and not any(folder.glob("view-*")):
        hold.drop(folder)
        remove(folder)
    return SoftLabelSet(
        folder=str(folder),
        views=len(checks),
        wanted=views,
        reused=sum(1 for check in checks if not check.missing),
        seconds=written,
        total_seconds=total,
        live=not checks,
        remarks=remarks,
    )


def seconds_since(labels: SoftLabelSet, moment: float) -> float:
    """Device seconds of what was written at or after `moment` (seconds since the epoch), by interrupted runs too."""
    entries = [read_sealed(entry_path(Path(labels.folder), view), View) for view in range(labels.views)]
    chunks = [chunk for entry in entries if entry is not None for chunk in entry.chunks if chunk is not None]
    return sum(chunk.seconds for chunk in chunks if chunk.written >= moment)


def _key(teacher: ReadyTeacher, data: TaskData, views_seed: int, device: str) -> str:
    return digest(
        FORMAT,
        teacher.record.name,  # equal tensors can mean different networks
        teacher.record.fingerprint,
        teacher.normalisation,
        data.task.shared_fingerprint,
        views_seed,
        "fp16",
        torch.device(device).type,
        precision_of(device),
        torch.__version__,
        timm.__version__,
        *([own] if (own := teacher.record.preprocessing) is not None else []),
    )


def _tell(remarks: Sequence[str], listener: Listener) -> None:
    for remark in remarks:
        listener.note(remark)


def _many_classes(layout: Layout, views: int) -> tuple[str, ...]:
    if layout.top is None or not views:
        return ()
    remark = (
        f"Of {layout.classes:,} classes the {layout.top} largest logits of an image are stored and the sum of the "
        "others: soft labels are exact at temperature 1 and the more approximate the higher the temperature."
    )
    return (remark,)


@dataclass
class _Work:
    """Writing one set of soft labels."""

    teacher: ReadyTeacher
    data: TaskData
    views_seed: int
    device: str
    folder: Path
    layout: Layout
    running: RunningTeacher = field(init=False)

    def __post_init__(self) -> None:
        self.running = RunningTeacher(self.teacher.model, self.teacher.normalisation, self.device)

    def checked(self, views: int, listener: Listener) -> list[ViewCheck]:
        """Every view as it is on disk; what is damaged will be written again."""
        checks = [check_view(self.folder, view, self.layout) for view in range(views)]
        faults = [fault for check in checks for fault in check.faults]
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            listener.note(f"Soft labels in {self.folder}: {faults[0]}{more}; what is damaged is written again.")
        reused = sum(1 for check in checks if not check.missing)
        if reused:
            listener.note(f"Reusing the soft labels of {reused} views from an earlier run.")
        return checks

    def write(self, checks: Sequence[ViewCheck], listener: Listener) -> tuple[float, float]:
        """Write all missing chunks; returns the device seconds of these, and those of all chunks."""
        todo = [(view, chunk) for view, check in enumerate(checks) for chunk in check.missing]
        if checks:
            self._tell_whose()
        for view, check in enumerate(checks):
            if check.faults:
                mend_frame(self.folder, view, self.layout)
        watch = Stopwatch()
        if todo:
            listener.note(self._announcement(todo))
        before, images, written = 0.0, self._images(todo), 0.0
        kept = sum(chunk.seconds for check in checks for chunk in check.chunks if chunk is not None)
        done = 0
        for view, check in enumerate(checks):
            entries = list(check.chunks)
            for number, rows in zip(check.missing, self._chunks(view, check.missing), strict=True):
                write_chunk(self.folder, view, self.layout, number, rows)
                before, seconds = watch.seconds, watch.seconds - before
                entries[number] = Chunk(crc32=zlib.crc32(rows.tobytes()), seconds=seconds, written=time.time())
                write_sealed(entry_path(self.folder, view), View(layout=self.layout, chunks=tuple(entries)))
                written, done = written + seconds, done + len(rows)
                left = written / done * (images - done)
                listener.advance(f"soft labels of {self.teacher.record.name}", done, images, left)
        return written, kept + written

    def _tell_whose(self) -> None:
        task, (mean, std), record = self.data.task, self.teacher.normalisation, self.teacher.record
        about = About(
            teacher=record.name,
            weights=record.weights,
            fingerprint=record.fingerprint,
            source=self.teacher.source,
            mean=mean,
            std=std,
            preprocessing=record.preprocessing,
            data=task.data,
            task=task.fingerprint,
            images=self.layout.images,
            classes=self.layout.classes,
            views_seed=self.views_seed,
            device=torch.device(self.device).type,
            precision=precision_of(self.device),
            torch=torch.__version__,
            timm=timm.__version__,
        )
        path = self.folder / "about.json"
        if read_sealed(path, About) != about:
            write_sealed(path, about)

    def _announcement(self, todo: Sequence[tuple[int, int]]) -> str:
        """What will be written and for how long, from a batch that is timed."""
        images = self._images(todo)
        bytes_ = sum(self.layout.chunk_bytes(chunk) for _, chunk in todo)
        views = len({view for view, _ in todo})
        what = f"{views} views of {self.layout.images:,} images"
        if images < views * self.layout.images:
            what = f"{images:,} images in {views} views"
        seconds = self._seconds_per_image(todo[0]) * images
        return (
            f"Soft labels: {what} and {self.layout.classes:,} classes, {file_size(bytes_)}, about {duration(seconds)}."
        )

    def _images(self, todo: Sequence[tuple[int, int]]) -> int:
        return sum(end - first for first, end in (self.layout.span(chunk) for _, chunk in todo))

    def _seconds_per_image(self, place: tuple[int, int]) -> float:
        view, chunk = place
        first, end = self.layout.batches(chunk)[0]
        next(self._rows(view, [(first, min(first + WARM_UP, end))]))
        watch = Stopwatch()
        next(self._rows(view, [(first, end)]))
        return watch.seconds / (end - first)

    def _chunks(self, view: int, chunks: Sequence[int]) -> Iterator[Rows]:
        """The rows of each chunk."""
        batches = self._rows(view, [batch for chunk in chunks for batch in self.layout.batches(chunk)])
        for chunk in chunks:
            yield np.concatenate([next(batches) for _ in self.layout.batches(chunk)])

    def _rows(self, view: int, batches: Sequence[tuple[int, int]]) -> Iterator[Rows]:
        """The rows of each batch of training images."""
        groups = [self.data.train[first:end] for first, end in batches]
        for indices, stored in zip(groups, self.data.images.batches(groups), strict=True):
            images = self.data.view(stored, indices, self.views_seed, view)
            yield pack(self.running.scores(images), self.layout)
