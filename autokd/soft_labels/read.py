"""The record of stored soft labels, and the reader that gives them to a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from autokd.cache.soft_label_entry import Layout, View, read_sealed
from autokd.data.image_store import Indices
from autokd.errors import DataError
from autokd.records import Record
from autokd.soft_labels.format import entry_path, view_path
from autokd.soft_labels.topk import unpack


class SoftLabelSet(Record):
    """Where soft labels are stored and what they cost, or that the teacher runs live; plain data for any worker."""

    folder: str  # empty where the teacher runs live
    views: int  # stored ones; with fewer than wanted, epochs use them again in turn
    wanted: int  # one for every epoch of a trial
    reused: int  # views that an earlier run has written
    seconds: float  # device seconds of what was written now
    total_seconds: float  # device seconds of all these views, whenever they were written
    live: bool = False  # the teacher runs during every distilled training, whose seconds include its own
    remarks: tuple[str, ...] = ()  # what a reader of the report should know about them

    @property
    def cycle(self) -> int | None:
        """After how many epochs views come again, in both arms; None: never."""
        return self.views if not self.live and self.views < self.wanted else None

    def files(self) -> list[Path]:
        """Files that a worker reads."""
        folder = Path(self.folder)
        return [path(folder, view) for view in range(self.views) for path in (view_path, entry_path)]


class SoftLabels:
    """The teacher's logits, memory-mapped; see TeacherLogits in training/spec.py."""

    def __init__(self, folder: Path, views: int, device: str) -> None:
        self._layout = _layout(folder)
        self._views = [np.load(view_path(folder, view), mmap_mode="r") for view in range(views)]
        self._device = device

    def logits(self, view: int, positions: Indices, images: Tensor) -> Tensor:  # noqa: ARG002 - stored already
        """[len(positions), classes] on the device; raises IndexError for a view that was not written."""
        return unpack(np.asarray(self._views[view][positions]), self._layout, self._device)


def _layout(folder: Path) -> Layout:
    entry = read_sealed(entry_path(folder, 0), View)
    if entry is None:
        raise DataError(f"{entry_path(folder, 0)} is missing or damaged; start the search again, which writes it again")
    return entry.layout
