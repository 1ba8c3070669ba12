"""The reader that gives soft labels to a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from autokd.cache.sealed import read_sealed
from autokd.cache.soft_label_entry import Layout, View
from autokd.data.image_store import Indices
from autokd.errors import DataError
from autokd.records import SoftLabelSet
from autokd.soft_labels.format import entry_path, view_path
from autokd.soft_labels.topk import unpack


def files_of(labels: SoftLabelSet) -> list[Path]:
    """Files that a worker reads."""
    folder = Path(labels.folder)
    return [path(folder, view) for view in range(labels.views) for path in (view_path, entry_path)]


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
