"""What a search would do and cost, before any of it is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, get_args

from autokd.config import SearchConfig
from autokd.config_presets import PresetName
from autokd.errors import ConfigError
from autokd.pipeline.candidates import Found, find_candidates
from autokd.pipeline.disk import Disk, disk_of
from autokd.pipeline.screening import screening_epochs
from autokd.pipeline.services import Parts, Prepared
from autokd.pipeline.timing import student_step_seconds, teacher_step_seconds
from autokd.progress import Listener, Silent
from autokd.records import (
    ARMS,
    Candidate,
    CostModel,
    CostPrediction,
    LeftOut,
    Preprocessing,
    Reading,
    Record,
    Task,
    Teacher,
)

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


class PresetPlan(Record):
    """What a search with a preset would be; settings that were given stay as they are."""

    preset: PresetName
    trials: int
    epochs: int
    seeds: int
    finalists: int
    seconds: float  # predicted device seconds of all stages
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
    preset: PresetName  # in force for `stages` and what follows
    stages: tuple[Stage, ...]
    seconds: float
    usd: float
    presets: tuple[PresetPlan, ...]
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
    asked, config = config, config.sized(task.train)
    own = _own_preprocessing(config, parts, task)
    size = own.image_size if own else task.transform.image_size
    model = _teacher_model(config, parts, task, size)
    teacher = _untrained_teacher(config, model, size, own)
    listener.stage("Cost and candidates")
    cost_model = parts.cost_model(config, task.transform.image_size)
    prepared = Prepared(task, folder, teacher, {})
    found = find_candidates(prepared, config, parts, cost_model, listener)
    cost_model = found.cost_model
    listener.stage("Timing")
    given = parts.teacher is not None or _is_given(config, task)
    work = _Work(data, found, cost_model, given, *_step_seconds(config, task, model, size, found))
    stages = work.stages(config)
    assert config.preset is not None  # noqa: S101 - it is sized
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
        preset=config.preset,
        stages=stages,
        seconds=sum(stage.seconds for stage in stages),
        usd=sum(stage.usd for stage in stages),
        presets=tuple(_preset_plan(asked, preset, work) for preset in get_args(PresetName)),
        disk=disk,
        disk_bytes=disk.peak,
    )


def _data(config: SearchConfig, parts: Parts, listener: Listener) -> TaskData:
    from autokd.data.task import open_task, prepare_task
    from autokd.teacher.prepare import input_size

    source = parts.teacher if parts.teacher is not None else config.teacher
    folder = prepare_task(config, input_size(source), listener, parts.pair, trained=parts.teacher is not None)
    return open_task(folder)


def _own_preprocessing(config: SearchConfig, parts: Parts, task: Task) -> Preprocessing | None:
    from autokd.teacher.preprocessing import own_preprocessing

    return own_preprocessing(config, parts.teacher if parts.teacher is not None else config.teacher, task)


def _teacher_model(config: SearchConfig, parts: Parts, task: Task, size: int) -> nn.Module:
    from autokd.zoo.build import build

    if parts.teacher is not None:
        return parts.teacher
    return build(config.teacher, len(task.classes), size)


def _untrained_teacher(config: SearchConfig, model: nn.Module, size: int, own: Preprocessing | None) -> Teacher:
    """The teacher's size; what only its weights could tell stays not a number."""
    from autokd.zoo.count import module_macs
    from autokd.zoo.served_form import parameters_of

    return Teacher(
        name=config.teacher,
        weights="not loaded for an estimate",
        fingerprint="",
        parameters=parameters_of(model),
        macs=module_macs(model, size),
        val_accuracy=float("nan"),
        test_accuracy=float("nan"),
        temperature=float("nan"),
        seconds=0.0,
        preprocessing=own,
        own_weights=False,
    )


def _is_given(config: SearchConfig, task: Task) -> bool:
    """Whether the teacher's weights are used as they come."""
    from autokd.teacher.origin import teacher_is_given

    return teacher_is_given(config, len(task.classes))


def _step_seconds(
    config: SearchConfig, task: Task, model: nn.Module, teacher_size: int, found: Found
) -> tuple[float, float]:
    """Training seconds of an image: of the teacher, and the mean over candidates."""
    students = student_step_seconds(config, task, found.candidates)
    return teacher_step_seconds(config, task, model, teacher_size), fmean(students.values() or [0.0])


def _preset_plan(asked: SearchConfig, preset: PresetName, work: _Work) -> PresetPlan:
    config = asked.model_copy(update={"preset": preset}).sized(work.data.task.train)
    assert config.trials and config.epochs and config.seeds and config.finalists  # noqa: S101
    stages = work.stages(config)
    return PresetPlan(
        preset=preset,
        trials=config.trials,
        epochs=config.epochs,
        seeds=config.seeds,
        finalists=config.finalists,
        seconds=sum(stage.seconds for stage in stages),
        usd=sum(stage.usd for stage in stages),
    )


@dataclass(frozen=True)
class _Work:
    """What the stages of a search are planned from; steps are seconds of an image."""

    data: TaskData
    found: Found
    cost_model: CostModel
    given: bool  # the teacher is not trained
    teacher_step: float
    student_step: float

    def stages(self, config: SearchConfig) -> tuple[Stage, ...]:
        """Work, time and money of each stage; the settings have to be sized."""
        from autokd.teacher.origin import weights_mode
        from autokd.teacher.train import all_epochs
        from autokd.teacher.trained_here import teacher_epochs
        from autokd.training.batches import steps_per_epoch
        from autokd.tune.finalists import most_trainings

        trials, epochs, seeds, finalists = config.trials, config.epochs, config.seeds, config.finalists
        if not (trials and epochs and seeds and finalists):
            raise ConfigError(
                "an estimate needs trials, epochs, seeds and finalists; leave them out to take the defaults"
            )
        from autokd.training.compile_and_timing import FORWARD

        task, candidates, edges = self.data.task, self.found.candidates, len(self.found.edges)
        from_scratch = weights_mode(config) == "scratch"
        images = len(self.data.unhidden().train)
        steps = steps_per_epoch(images, config.batch_size or images)
        taught = all_epochs(teacher_epochs(config, from_scratch), steps, not from_scratch) * images
        teacher = "none" if self.given else f"train {config.teacher} once, unless an earlier run has"
        stages = [self._stage("teacher", teacher, 0 if self.given else taught, self.teacher_step)]
        if not candidates:
            return tuple(stages)
        distilled, direct = task.train, _direct_images(task, config.batch_size or task.train)
        tried = {"distill": distilled, "direct": direct}
        tried = {arm: images for arm, images in tried.items() if any(arm in c.arms for c in candidates)}
        of_each = trials // len(ARMS)
        trainings, with_teacher = most_trainings(finalists, seeds, edges), (finalists + 2 + edges) * seeds
        beyond = f", {2 * edges * seeds} of them beyond the ratio range" if edges else ""
        looks = screening_epochs(config, candidates)
        screened = (
            f"{len(candidates)} students, up to {looks} epochs in all" if looks else "none, there are few students"
        )
        images = epochs * (with_teacher * distilled + (trainings - with_teacher) * direct)
        return (
            *stages,
            self._stage(
                "soft labels",
                f"{epochs} views of {task.train:,} images",
                epochs * task.train,
                FORWARD * self.teacher_step,
            ),
            self._stage("screening", screened, looks * task.train, self.student_step),
            self._stage(
                "search",
                f"{of_each * len(tried)} trials of {epochs} epochs, before pruning",
                of_each * epochs * sum(tried.values()),
                self.student_step,
            ),
            self._stage("confirmation", f"up to {trainings} trainings{beyond}", images, self.student_step),
        )

    def _stage(self, name: str, work: str, images: int, step: float) -> Stage:
        seconds = images * step
        usd = seconds * self.cost_model.train_price_usd_per_hour / 3600
        return Stage(name=name, work=work, image_passes=images, seconds=seconds, usd=usd)


def _direct_images(task: Task, batch_size: int) -> int:
    """Images of an epoch of the direct arm: as many as of the other, unless the labelled ones do not fill a batch."""
    batch = min(batch_size, task.train)
    return task.train * min(batch, task.train - task.unlabelled) // batch
