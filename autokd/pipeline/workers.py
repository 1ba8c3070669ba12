"""How many trainings run at a time, and which part of a device each has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.errors import ConfigError
from autokd.naming import set_to
from autokd.records import Candidate, Task

if TYPE_CHECKING:
    from autokd.tune.placement import Placement


def gpus_of_training(config: SearchConfig) -> float:
    """GPUs of a training under Ray: as asked, else one where training is on GPUs."""
    from autokd.training.device import resolve_device

    on_gpu = resolve_device(config.device).startswith("cuda")
    if on_gpu and config.gpus_per_trial == 0:
        raise ConfigError(
            f"{set_to('gpus_per_trial', 0)} leaves a training on cuda without a GPU; "
            f"give a fraction, or {set_to('device', 'cpu')}"
        )
    return (1.0 if on_gpu else 0.0) if config.gpus_per_trial is None else config.gpus_per_trial


def gpu_share(config: SearchConfig) -> float:
    """The part of a GPU that a training has: as asked, else what more workers than GPUs leave of each."""
    import torch

    if config.gpus_per_trial:
        return min(1.0, config.gpus_per_trial)
    return 1.0 if config.engine == "ray" else min(1.0, torch.cuda.device_count() / worker_count(config))


def measured_placement(config: SearchConfig, task: Task, candidates: Sequence[Candidate]) -> Placement | None:
    """None where there is one thread only."""
    import torch

    from autokd.machine import available_memory, own_memory
    from autokd.training.compile_and_timing import training_seconds_per_image
    from autokd.tune.finalists import most_trainings
    from autokd.tune.placement import choose, thread_counts
    from autokd.zoo.build import build

    cores = torch.get_num_threads()
    if cores == 1:
        return None
    assert config.trials and config.epochs and config.finalists and config.seeds  # noqa: S101
    students = sorted(candidates, key=lambda candidate: candidate.reading.cost_usd_per_1k.mean)
    student, size = students[len(students) // 2].student, task.transform.image_size
    batch = min(config.batch_size or 64, task.train)
    seconds = {}
    try:
        for threads in thread_counts(cores):
            torch.set_num_threads(threads)
            model = build(student, len(task.classes), size)
            seconds[threads] = training_seconds_per_image(model, size, batch, "cpu")
    finally:
        torch.set_num_threads(cores)
    trainings = config.trials + most_trainings(config.finalists, config.seeds)
    work = trainings * config.epochs * task.train * seconds[cores]
    return choose(seconds, cores, config.trials, work, (own_memory(), available_memory()))


def device_count(config: SearchConfig) -> int:
    """Devices that trainings are spread over: GPUs, or the processor."""
    from autokd.training.device import resolve_device

    if not resolve_device(config.device).startswith("cuda"):
        return 1
    return max(1, round(worker_count(config) * gpu_share(config)))


def most_workers(config: SearchConfig) -> int:
    """As many as there may be at most where measuring decides: one a thread of the processor."""
    import torch

    from autokd.training.device import resolve_device

    measured = config.workers is None and config.engine == "local" and resolve_device(config.device) == "cpu"
    return torch.get_num_threads() if measured else worker_count(config)


def worker_count(config: SearchConfig) -> int:
    """As asked, else one a GPU (or more where they share it), else one."""
    if config.workers is not None:
        return config.workers
    import torch

    if config.device not in (None, "cuda") or not torch.cuda.is_available():
        return 1
    return max(1, int(torch.cuda.device_count() / (config.gpus_per_trial or 1)))
