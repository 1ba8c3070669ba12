"""The disk that a search takes at most, by what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.data.task import cache_folders
from autokd.pipeline.workers import most_workers
from autokd.records import Candidate, Record, Task

if TYPE_CHECKING:
    from torch import nn


class Disk(Record):
    """Bytes. A checkpoint counts twice, because the next one is whole before the last one goes."""

    decoded_images: int
    teacher_training: int  # its checkpoints, gone before anything below is written
    teacher: int  # its weights, where they are trained here
    soft_labels: int
    checkpoints: int  # of the trainings that run at a time
    finalists: int  # weights, validation and test logits, and the student that is shipped
    student_weights: int = 0  # that students start from, converted; what the hub's own cache keeps comes on top

    @property
    def peak(self) -> int:
        """The most that is taken at any moment, without tables and the report."""
        later = self.teacher + self.soft_labels + self.student_weights + self.checkpoints + self.finalists
        return self.decoded_images + max(self.teacher_training, later)


def disk_of(
    config: SearchConfig,
    task_folder: Path,
    task: Task,
    teacher: nn.Module,
    candidates: Sequence[Candidate],
    trained_here: bool,
    edges: Sequence[Candidate] = (),
) -> Disk:
    """What a search with these settings takes; the images are decoded already."""
    from autokd.tune.finalists import most_trainings

    every = {student.student: student for student in (*candidates, *edges)}.values() if candidates else ()
    weights, checkpoint = _largest(config, task, list(every))
    workers = most_workers(config) if candidates else 0
    finalists = most_trainings(config.finalists or 0, 1, len(edges)) if candidates else 0
    logits = (config.seeds or 0) * (task.val + task.test) * len(task.classes) * 4
    own, own_checkpoint = _bytes(teacher, 0.0) if trained_here else (0, 0)
    return Disk(
        decoded_images=sum(_file_bytes(folder) for folder in cache_folders(task_folder)[1:]),
        teacher_training=2 * own_checkpoint + 2 * own,  # the best epoch's weights too
        teacher=own,
        soft_labels=_soft_labels(config, task) if candidates else 0,
        checkpoints=2 * workers * checkpoint,
        finalists=finalists * (weights + logits) + (workers + 1) * weights,
        student_weights=_student_weights(config, list(every)),
    )


def _soft_labels(config: SearchConfig, task: Task) -> int:
    """As many views as epochs, unless the cache may take less."""
    from autokd.soft_labels.format import layout_of

    wanted = (config.epochs or 0) * layout_of(task.train, len(task.classes)).view_bytes
    return wanted if config.cache_limit_gb is None else min(wanted, int(config.cache_limit_gb * 1e9))


def _student_weights(config: SearchConfig, candidates: Sequence[Candidate]) -> int:
    from autokd.weights.start import Supply

    supply = Supply(config.student_weights)
    return sum(4 * candidate.parameters for candidate in candidates if supply.lacks(candidate.student) is None)


def _largest(config: SearchConfig, task: Task, candidates: Sequence[Candidate]) -> tuple[int, int]:
    """Bytes of the weights and of a checkpoint of the largest candidate."""
    from autokd.zoo.build import build

    if not candidates:
        return 0, 0
    name = max(candidates, key=lambda candidate: candidate.parameters).student
    return _bytes(build(name, len(task.classes), task.transform.image_size, device="meta"), config.ema)


def _bytes(model: nn.Module, ema: float) -> tuple[int, int]:
    """Of weights; of a checkpoint: weights, their average where there is one, and AdamW's two moments."""
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    moments = 2 * sum(parameter.nbytes for parameter in model.parameters())
    return weights, weights * (2 if ema else 1) + moments


def _file_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
