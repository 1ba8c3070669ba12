"""What a search would do and cost, before any of it is paid for."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.errors import ConfigError
from autokd.pipeline.candidates import Found, find_candidates
from autokd.pipeline.disk import Disk, disk_of
from autokd.pipeline.services import Parts, Prepared
from autokd.pipeline.timing import FORWARD, student_step_seconds, teacher_step_seconds
from autokd.progress import Listener, Silent
from autokd.records import Candidate, CostModel, CostPrediction, LeftOut, Reading, Record, Task, Teacher

if TYPE_CHECKING:
    from torch import nn

    from autokd.data.task import TaskData


class Stage(Record):
    """One stage of the plan."""

    name: str
    work: str
    image_passes: int  # images through a training step, or through the teacher for soft labels
    seconds: float  # predicted device seconds
    usd: float


class Estimate(Record):
    """The answer of `autokd estimate`; nothing in it was trained."""

    task: Task
    teacher: str
    teacher_parameters: int
    teacher_reading: Reading
    cost_model: CostModel
    max_cost: float
    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    prediction: CostPrediction | None
    stages: tuple[Stage, ...]
    seconds: float
    usd: float
    disk: Disk
    disk_bytes: int  # the most of it at a time


def plan_search(config: SearchConfig, parts: Parts, listener: Listener | None = None) -> Estimate:
    """Candidates with ratio and cost, and the work and money of a search; raises UsageError like a search would."""
    listener = listener or Silent()
    parts.check(config)
    parts.refuse_among_images(config, {"cache_dir": config.cache_dir})
    listener.stage("Data")
    data = _data(config, parts, listener)
    folder, task = data.folder, data.task
    config = config.sized(task.train)
    model = _teacher_model(config, parts, task)
    teacher = _untrained_teacher(config, model, task)
    listener.stage("Cost and candidates")
    cost_model = parts.cost_model(config, task.transform.image_size)
    prepared = Prepared(task, folder, teacher, {})
    found = find_candidates(prepared, config, parts, cost_model, listener)
    listener.stage("Timing")
    given = parts.teacher is not None or _is_given(config, task)
    stages = _stages(config, data, model, found, cost_model, given)
    disk = disk_of(config, folder, task, model, found.candidates, trained_here=not given, edges=found.edges)
    return Estimate(
        task=task,
        teacher=config.teacher,
        teacher_parameters=teacher.parameters,
        teacher_reading=found.readings[config.teacher],
        cost_model=cost_model,
        max_cost=config.max_cost,
        candidates=found.candidates,
        left_out=found.left_out,
        prediction=found.prediction,
        stages=stages,
        seconds=sum(stage.seconds for stage in stages),
        usd=sum(stage.usd for stage in stages),
        disk=disk,
        disk_bytes=disk.peak,
    )


def _data(config: SearchConfig, parts: Parts, listener: Listener) -> TaskData:
    from autokd.data.task import open_task, prepare_task
    from autokd.teacher.prepare import input_size

    source = parts.teacher if parts.teacher is not None else config.teacher
    folder = prepare_task(config, input_size(source), listener, parts.pair, trained=parts.teacher is not None)
    return open_task(folder)


def _teacher_model(config: SearchConfig, parts: Parts, task: Task) -> nn.Module:
    from autokd.zoo.build import build

    if parts.teacher is not None:
        return parts.teacher
    return build(config.teacher, len(task.classes), task.transform.image_size)


def _untrained_teacher(config: SearchConfig, model: nn.Module, task: Task) -> Teacher:
    """The teacher's size; what only its weights could tell stays not a number."""
    from autokd.zoo.count import module_macs
    from autokd.zoo.served_form import served_parameters

    return Teacher(
        name=config.teacher,
        weights="not loaded for an estimate",
        fingerprint="",
        parameters=served_parameters(model),
        macs=module_macs(model, task.transform.image_size),
        val_accuracy=float("nan"),
        test_accuracy=float("nan"),
        temperature=float("nan"),
        seconds=0.0,
        own_weights=False,
    )


def _is_given(config: SearchConfig, task: Task) -> bool:
    """Whether the teacher's weights are used as they come."""
    from autokd.teacher.prepare import teacher_is_given

    return teacher_is_given(config, len(task.classes))


def _stages(
    config: SearchConfig,
    data: TaskData,
    model: nn.Module,
    found: Found,
    cost_model: CostModel,
    given: bool,
) -> tuple[Stage, ...]:
    from autokd.teacher.prepare import teacher_epochs, weights_mode
    from autokd.teacher.train import all_epochs
    from autokd.tune.finalists import most_trainings

    candidates = found.candidates

    trials, epochs, seeds, finalists = config.trials, config.epochs, config.seeds, config.finalists
    if not (trials and epochs and seeds and finalists):
        raise ConfigError("an estimate needs trials, epochs, seeds and finalists; leave them out to take the defaults")
    task, taught = data.task, len(data.unhidden().train)
    teacher_step = teacher_step_seconds(config, task, model)
    student_step = fmean(student_step_seconds(config, task, candidates).values() or [0.0])
    from_scratch = weights_mode(config) == "scratch"
    passes = 0 if given else all_epochs(teacher_epochs(config, from_scratch), not from_scratch) * taught
    distilled, direct = task.train, _direct_images(task, config.batch_size or task.train)
    trainings = most_trainings(finalists, seeds, len(found.edges)) if candidates else 0
    with_teacher = (finalists + 1 + len(found.edges)) * seeds if candidates else 0
    beyond = f", {2 * len(found.edges) * seeds} of them beyond the ratio range" if found.edges and candidates else ""
    trials = trials if candidates else 0
    planned = [
        (
            "teacher",
            "none" if given else f"train {config.teacher} once, unless an earlier run has",
            passes,
            teacher_step,
        ),
        (
            "soft labels",
            f"{epochs} views of {task.train:,} images",
            epochs * task.train if candidates else 0,
            FORWARD * teacher_step,
        ),
        (
            "search",
            f"{trials} trials of {epochs} epochs, before pruning",
            trials * epochs * (distilled + direct) // 2,
            student_step,
        ),
        (
            "confirmation",
            f"up to {trainings} trainings{beyond}",
            epochs * (with_teacher * distilled + (trainings - with_teacher) * direct),
            student_step,
        ),
    ]
    price = cost_model.train_price_usd_per_hour / 3600
    return tuple(
        Stage(name=name, work=work, image_passes=count, seconds=count * step, usd=count * step * price)
        for name, work, count, step in planned
    )


def _direct_images(task: Task, batch_size: int) -> int:
    """Images of an epoch of the direct arm: as many as of the other, unless the labelled ones do not fill a batch."""
    batch = min(batch_size, task.train)
    return task.train * min(batch, task.train - task.unlabelled) // batch
