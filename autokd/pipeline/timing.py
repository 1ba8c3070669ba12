"""How long training takes here, timed before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.pipeline.workers import worker_count
from autokd.records import Candidate, Task

if TYPE_CHECKING:
    from torch import nn

    from autokd.precision import Precision

TIMED_STUDENTS = 3


def teacher_step_seconds(config: SearchConfig, task: Task, model: nn.Module, image_size: int) -> float:
    """Training seconds of an image of the teacher, of so many pixels a side."""
    import copy

    from autokd.teacher.precision import training_precision
    from autokd.training.device import resolve_device

    precision = training_precision(model, image_size, resolve_device(config.device))
    return _timed(config, copy.deepcopy(model), image_size, task.train, precision)


def student_step_seconds(config: SearchConfig, task: Task, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Training seconds of an image of each candidate.

    A cheap, a middling and a dear candidate are timed; the others lie between them by their serving cost.
    """
    import numpy as np

    from autokd.zoo.build import build

    costs = sorted({c.reading.cost_usd_per_1k.mean: c.student for c in candidates}.items())
    timed: dict[float, float] = {}
    for i in range(TIMED_STUDENTS if costs else 0):
        cost, name = costs[i * (len(costs) - 1) // (TIMED_STUDENTS - 1)]
        if cost not in timed:
            size = task.transform.image_size
            timed[cost] = _timed(config, build(name, len(task.classes), size), size, task.train)
    known = [c.reading.cost_usd_per_1k.mean for c in candidates]
    if not timed:
        return {}
    between = np.interp(known, list(timed), list(timed.values()))
    return {candidate.student: float(seconds) for candidate, seconds in zip(candidates, between, strict=True)}


def epoch_seconds(config: SearchConfig, task: Task, candidates: Sequence[Candidate]) -> dict[str, float]:
    """Device seconds of an epoch of each candidate, its validation included, in one of the workers.

    On a processor a worker has its part of the threads, and its seconds count as its part of the device's.
    """
    import torch

    from autokd.training.compile_and_timing import FORWARD
    from autokd.training.device import resolve_device

    workers = worker_count(config) if resolve_device(config.device) == "cpu" else 1
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // workers))
    try:
        steps = student_step_seconds(config, task, candidates)
    finally:
        torch.set_num_threads(threads)
    images = task.train + FORWARD * task.val
    return {student: images * each / workers for student, each in steps.items()}


def _timed(
    config: SearchConfig, model: nn.Module, image_size: int, images: int, precision: Precision | None = None
) -> float:
    from autokd.training.compile_and_timing import training_seconds_per_image
    from autokd.training.device import resolve_device

    batch = min(config.batch_size or 64, images)
    return training_seconds_per_image(model, image_size, batch, resolve_device(config.device), precision)
