"""Verifies stored soft labels: compares every checksum, then samples that the teacher computes again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from autokd.cache.locks import Hold
from autokd.cache.sealed import read_sealed
from autokd.cache.soft_label_entry import About, View
from autokd.data.task import TaskData, open_task
from autokd.data.teacher_views import as_teacher_sees
from autokd.errors import UsageError
from autokd.precision import precision_of
from autokd.progress import Listener
from autokd.records import Record
from autokd.soft_labels.format import Fault, check_view, entry_path, read_rows
from autokd.soft_labels.live_teacher import RunningTeacher
from autokd.soft_labels.topk import deviation
from autokd.weights.loading import fit_state, read_state, weights_fingerprint
from autokd.zoo.build import build, head_names, reason

ROWS = 16  # images of each sampled chunk that the teacher computes again
# Largest differences that count as rounding, in standard deviations of the logits. Between batches of 128 and
# of 16 images of the digits at 32 px the largest was 0.0014 in float32, and 0.06 between bfloat16 and float32, over
# test_resnet, resnet10t, resnet152, vit_tiny_patch16_224 and convnext_atto, trained for one to six epochs. float16 is
# about nine times as exact as bfloat16.
TOLERANCES = {"fp32": 0.01, "fp16": 0.03, "bf16": 0.2}


class SetCheck(Record):
    """What the verification of one set found."""

    key: str
    chunks: int  # with a compared checksum
    sampled: int  # chunks with rows that the teacher computed again
    deviation: float | None  # the largest difference, in standard deviations of the logits
    faults: tuple[Fault, ...]
    note: str | None = None  # why the teacher computed nothing

    @property
    def wrong(self) -> tuple[Fault, ...]:
        """Faults that no search notices, as all checksums hold."""
        return tuple(fault for fault in self.faults if fault.kind == "logits")


@dataclass(frozen=True)
class _Teacher:
    running: RunningTeacher
    data: TaskData
    seed: int


def find_sets(cache_dir: Path, keys: Sequence[str]) -> list[Path]:
    """The folders of these sets; without keys, of all. A key may be shortened; an unknown one raises UsageError."""
    root = cache_dir / "softlabels"
    known = sorted(path for path in root.glob("[!.]*") if path.is_dir())
    chosen = []
    for key in keys:
        named = [path for path in known if path.name.startswith(key)]
        if len(named) != 1:
            many = f"{len(named)} sets of" if named else "no"
            raise UsageError(f"there are {many} soft labels {key} in {root}; `autokd cache list` names them all")
        chosen += named
    return chosen if keys else known


def verify_set(folder: Path, device: str, samples: int, tolerance: float | None, listener: Listener) -> SetCheck:
    """Compare all checksums, then rows of `samples` random chunks with the teacher's output.

    tolerance: largest difference that counts as rounding, in standard deviations of the logits; None: see TOLERANCES.
    """
    hold = Hold()
    hold.add(folder, used=False)
    faults, sound = _checksums(folder, listener)
    chunks = len(sound) + sum(fault.kind == "chunk" for fault in faults)
    about = read_sealed(folder / "about.json", About)
    if about is None and any(folder.glob("view-*")):
        faults.append(Fault(kind="about", text="about.json is damaged or gone"))
    teacher = _rebuilt(folder, about, device) if about and samples and sound else "there was nothing to sample"
    deviations = list[float]()
    if isinstance(teacher, _Teacher) and about is not None:
        tolerance = tolerance or TOLERANCES[_precision(about, device)]
        order = np.random.default_rng().permutation(len(sound))[:samples]
        for view, chunk in [sound[i] for i in order]:
            deviations.append(_deviation(folder, view, chunk, teacher))
            if not deviations[-1] <= tolerance:
                faults.append(_differs(view, chunk, deviations[-1], tolerance))
            listener.advance(f"computing samples of {folder.name} again", len(deviations), len(order), None)
    hold.close()
    return SetCheck(
        key=folder.name,
        chunks=chunks,
        sampled=len(deviations),
        deviation=max(deviations, default=None, key=lambda found: (math.isnan(found), found)),
        faults=tuple(faults),
        note=teacher if isinstance(teacher, str) else None,
    )


def _precision(about: About, device: str) -> str:
    """The coarser of the precision in which the logits were computed and that of this device."""
    return max(precision_of(device), about.precision, key=lambda precision: TOLERANCES[precision])


def _differs(view: int, chunk: int, found: float, tolerance: float) -> Fault:
    text = (
        f"view {view}, chunk {chunk} differs from the teacher's output by {found:.3g} standard deviations of its "
        f"logits; the tolerance is {tolerance:g}"
    )
    return Fault(kind="logits", text=text)


def _checksums(folder: Path, listener: Listener) -> tuple[list[Fault], list[tuple[int, int]]]:
    """All faults, and the view and number of every intact chunk."""
    faults: list[Fault] = []
    sound: list[tuple[int, int]] = []
    paths = sorted(folder.glob("view-[0-9]*.json"))
    for number, path in enumerate(paths):
        view, entry = int(path.stem.removeprefix("view-")), read_sealed(path, View)
        if entry is None:
            faults.append(Fault(kind="entry", text=f"view {view}: {path.name} is damaged"))
            continue
        check = check_view(folder, view, entry.layout)
        faults += check.faults
        sound += [(view, chunk) for chunk, found in enumerate(check.chunks) if found is not None]
        listener.advance(f"checksums of {folder.name}", number + 1, len(paths), None)
    return faults, sound


def _rebuilt(folder: Path, about: About, device: str) -> _Teacher | str:
    """The teacher and its task, or the reason why they cannot be loaded."""
    cache_dir = folder.parent.parent
    task_folder = cache_dir / "tasks" / about.task
    if not about.source:
        return "its teacher was given from Python"
    if not (task_folder / "task.json").exists():
        return f"its task {about.task} is no longer in {cache_dir / 'tasks'}"
    try:
        data = as_teacher_sees(open_task(task_folder, device), about.preprocessing, device)
        data.images.take(data.train[:1])
        model = _model(cache_dir, about, data)
    except Exception as error:  # noqa: BLE001 - files that are gone, whatever the hub's library raises
        return f"its teacher or its data cannot be loaded again ({reason(error)})"
    if weights_fingerprint(model) != about.fingerprint:
        return f"the weights of its teacher have changed ({about.source})"
    return _Teacher(RunningTeacher(model, (about.mean, about.std), device), data, about.views_seed)


def _model(cache_dir: Path, about: About, data: TaskData) -> nn.Module:
    """The teacher, with weights from the hub or from a file; a path into the cache is relative to it."""
    size, classes = data.shown_size, len(data.task.classes)
    if about.source == "pretrained":
        return build(about.teacher, classes, size, pretrained=True)
    model = build(about.teacher, classes, size)
    fit_state(model, read_state(cache_dir / about.source), head_names(model), about.teacher)
    return model


def _deviation(folder: Path, view: int, chunk: int, teacher: _Teacher) -> float:
    """The largest difference between some stored rows of a chunk and the teacher's output for these images."""
    entry = read_sealed(entry_path(folder, view), View)
    assert entry is not None  # noqa: S101 - its checksum was compared a moment ago
    first, end = entry.layout.span(chunk)
    rows = first + np.sort(np.random.default_rng().permutation(end - first)[:ROWS])
    indices = teacher.data.train[rows]
    images = teacher.data.view(teacher.data.images.take(indices), indices, teacher.seed, view)
    stored = read_rows(folder, view, entry.layout, rows.tolist())
    return deviation(stored, teacher.running.scores(images), entry.layout)
