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
    if config.gpus_per_trial:
        return min(1.0, config.gpus_per_trial)
    return 1.0 if config.engine == "ray" else min(1.0, gpu_count(config) / worker_count(config))


def gpu_count(config: SearchConfig) -> int:
    """GPUs of this machine that trainings are spread over: all of them, or the one that was named."""
    import torch

    return 1 if ":" in (config.device or "") else max(1, torch.cuda.device_count())


def is_measured(config: SearchConfig) -> bool:
    """Whether the number of trainings at a time is for us to choose; a cluster's GPUs are not at hand."""
    from autokd.training.device import resolve_device

    if config.workers is not None or config.ray_address is not None:
        return False
    device = resolve_device(config.device)
    if device.startswith("cuda"):
        return config.gpus_per_trial is None
    return device == "cpu" and config.engine == "local"


def measured_placement(config: SearchConfig, task: Task, candidates: Sequence[Candidate]) -> Placement | None:
    """By a middling student, and on GPUs the memory of the largest; None where there is one thread only."""
    from autokd.training.device import resolve_device

    students = sorted(candidates, key=lambda candidate: candidate.reading.cost_usd_per_1k.mean)
    student = students[len(students) // 2].student
    if resolve_device(config.device).startswith("cuda"):
        return _on_gpus(config, task, student, max(candidates, key=lambda candidate: candidate.macs).student)
    return _on_processor(config, task, student)


def placed_by(config: SearchConfig, placement: Placement) -> SearchConfig:
    """The settings with that many trainings at a time; Ray counts them by the GPUs of each."""
    from autokd.training.device import resolve_device

    if config.engine == "ray" and resolve_device(config.device).startswith("cuda"):
        return config.model_copy(update={"gpus_per_trial": gpu_count(config) / placement.workers})
    return config.model_copy(update={"workers": placement.workers})


def _on_processor(config: SearchConfig, task: Task, student: str) -> Placement | None:
    import torch

    from autokd.machine import available_memory, own_memory
    from autokd.training.compile_and_timing import training_seconds_per_image
    from autokd.tune.placement import choose, thread_counts
    from autokd.zoo.build import build

    cores = torch.get_num_threads()
    if cores == 1:
        return None
    size, seconds = task.transform.image_size, {}
    try:
        for threads in thread_counts(cores):
            torch.set_num_threads(threads)
            model = build(student, len(task.classes), size)
            seconds[threads] = training_seconds_per_image(model, size, _batch(config, task), "cpu")
    finally:
        torch.set_num_threads(cores)
    work = _images(config, task) * seconds[cores]
    return choose(seconds, cores, config.trials or 1, work, (own_memory(), available_memory()))


def _on_gpus(config: SearchConfig, task: Task, student: str, largest: str) -> Placement:
    """Short searches are not measured: one training on each GPU."""
    import torch

    from autokd.data.views import store_size
    from autokd.machine import available_memory, own_memory, usable_cores
    from autokd.memory import is_device_memory
    from autokd.training.compile_and_timing import bytes_of_training, training_seconds_per_image
    from autokd.training.device import resolve_device
    from autokd.training.side_by_side import Workload, run_side_by_side
    from autokd.tune.placement import MIN_WORK_OF_GPU, PACKED, one_each, pack
    from autokd.zoo.build import build

    device, gpus, threads = resolve_device(config.device), gpu_count(config), torch.get_num_threads()
    classes, size, batch = len(task.classes), task.transform.image_size, _batch(config, task)
    try:
        each = bytes_of_training(build(largest, classes, size), size, batch, device)
        alone = training_seconds_per_image(build(student, classes, size), size, batch, device)
    except RuntimeError as error:
        if not is_device_memory(error):
            raise
        return one_each(gpus, threads, "a batch takes all of the memory")
    if _images(config, task) * alone / gpus < MIN_WORK_OF_GPU:
        return one_each(gpus, threads, "trainings are short")
    counts = [count for count in PACKED if count * gpus <= usable_cores()] or [1]
    rates = run_side_by_side(Workload(student, classes, size, batch, device), counts)
    pixels = (task.train + task.val + task.test) * 3 * store_size(task.transform) ** 2
    of_gpu = each + pixels, torch.cuda.mem_get_info(device)[0]
    of_machine = own_memory(), available_memory() // gpus
    return pack(rates, gpus, config.trials or 1, threads, (of_gpu, of_machine))


def _batch(config: SearchConfig, task: Task) -> int:
    return min(config.batch_size or 64, task.train)


def _images(config: SearchConfig, task: Task) -> int:
    """Images of all trainings together."""
    from autokd.tune.finalists import most_trainings

    assert config.trials and config.epochs and config.finalists and config.seeds  # noqa: S101
    return (config.trials + most_trainings(config.finalists, config.seeds)) * config.epochs * task.train


def device_count(config: SearchConfig) -> int:
    """Devices that trainings are spread over: GPUs, or the processor."""
    from autokd.training.device import resolve_device

    if not resolve_device(config.device).startswith("cuda"):
        return 1
    return max(1, round(worker_count(config) * gpu_share(config)))


def most_workers(config: SearchConfig) -> int:
    """As many as there may be at most where measuring decides: one a thread of the processor, or some on each GPU."""
    import torch

    from autokd.training.device import resolve_device
    from autokd.tune.placement import PACKED

    if not is_measured(config):
        return worker_count(config)
    on_gpu = resolve_device(config.device).startswith("cuda")
    return max(PACKED) * gpu_count(config) if on_gpu else torch.get_num_threads()


def worker_count(config: SearchConfig) -> int:
    """As asked, else one a GPU (or more where they share it), else one."""
    from autokd.training.device import resolve_device

    if config.workers is not None:
        return config.workers
    if not resolve_device(config.device).startswith("cuda"):
        return 1
    return max(1, int(gpu_count(config) / (config.gpus_per_trial or 1)))
