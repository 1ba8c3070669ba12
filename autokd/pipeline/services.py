"""The stages of a search on real data: what the pipeline calls, and what its tests replace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.config import SearchConfig
from autokd.pipeline.workers import (
    gpu_share,
    gpus_of_training,
    is_measured,
    measured_placement,
    placed_by,
    worker_count,
)
from autokd.progress import Listener
from autokd.records import Candidate, CostModel, Decoding, FinalistRecord, Reading, SoftLabelSet, Task, Teacher
from autokd.runs.folder import Run

if TYPE_CHECKING:
    from torch import nn

    from autokd.cache.locks import Hold
    from autokd.cost.meter import Meter
    from autokd.data.sources.python_pair import Pair
    from autokd.pipeline.cheaper_forms import Form
    from autokd.pipeline.student_forms import StudentFormReader
    from autokd.teacher.prepare import ReadyTeacher
    from autokd.tune.engines.protocol import Engine, WorkshopFactory
    from autokd.weights.start import Supply
    from autokd.zoo.catalogue import Count

VIEWS_SALT = 7_919  # the views' seed is its own: neither a training's nor the splits'


@dataclass(frozen=True)
class Prepared:
    """A task with its verified teacher; `ready` is None where no real model stands behind it."""

    task: Task
    task_folder: Path
    teacher: Teacher
    arrays: Mapping[str, Any]  # what goes into evidence.npz
    ready: ReadyTeacher | None = None
    hold: Hold | None = None  # on what the run uses of the cache

    @property
    def teacher_size(self) -> int:
        """Pixels a side of the teacher's images."""
        own = self.teacher.preprocessing
        return own.image_size if own is not None else self.task.transform.image_size


@dataclass(frozen=True)
class Parts:
    """Real parts. `teacher` and `pair` are what Python handed over instead of names."""

    teacher: nn.Module | None = None
    pair: Pair | None = None
    clock: Callable[[], float] = time.monotonic
    is_program: bool = False  # ours: it may start processes to measure, each of which runs its main module

    def check(self, config: SearchConfig) -> None:
        """Whatever can be refused before data are read: names, weights, the space, hardware and price."""
        from autokd.teacher.prepare import check_weights, input_size
        from autokd.tracking.open import check_tracker
        from autokd.tune.space.files import read_space

        check_tracker(config.tracker)
        input_size(self.teacher if self.teacher is not None else config.teacher)
        read_space(config.space).names()
        self.cost_model(config, config.image_size or 32)
        if config.engine == "ray":
            _check_ray(config)
        self.supply(config)
        if self.teacher is None:
            check_weights(config)

    def refuse_among_images(self, config: SearchConfig, written: Mapping[str, Path]) -> None:
        """Raises DataError for a folder of ours, by its setting, where the next search would look for images."""
        from autokd.data.sources.open import refuse_among_images

        if self.pair is None:
            refuse_among_images(config.data, written)

    def prepare(self, config: SearchConfig, listener: Listener) -> Prepared:
        """Data, splits and a verified teacher."""
        import numpy as np

        from autokd.cache.locks import Hold
        from autokd.cost.costs_file import check_fits, read_costs
        from autokd.data.task import cache_folders, open_task, prepare_task
        from autokd.data.teacher_views import look_as_teacher, teacher_arrays
        from autokd.teacher.prepare import input_size, prepare_teacher
        from autokd.teacher.preprocessing import own_preprocessing
        from autokd.training.device import leave_device, resolve_device, use_device

        device = use_device(resolve_device(config.device))
        source = self.teacher if self.teacher is not None else config.teacher
        folder = prepare_task(config, input_size(source), listener, self.pair, trained=self.teacher is not None)
        hold = Hold(*cache_folders(folder))
        data = open_task(folder, device, config.loader_workers)
        sized = config.sized(len(data.train))
        own = own_preprocessing(config, source, data.task)
        if config.costs is not None:  # before a teacher is trained for nothing
            size = data.task.transform.image_size
            check_fits(read_costs(config.costs), config.costs, config.teacher, own.image_size if own else size, size)
        look_as_teacher(config, folder, own, listener, self.pair)
        for array in teacher_arrays(folder, own):
            hold.add(array.parent)
        ready = prepare_teacher(sized, data, device, listener, self.teacher, own)
        arrays = {
            "train": data.train,
            "val": data.val,
            "test": data.test,
            "val_labels": data.labels[data.val],
            "test_labels": data.labels[data.test],
            "teacher_val_logits": ready.val_logits.numpy().astype(np.float32),
            "teacher_test_logits": ready.test_logits.numpy().astype(np.float32),
        }
        leave_device(ready.model)  # the serving cost is measured without it
        return Prepared(data.task, folder, ready.record, arrays, ready, hold)

    def supply(self, config: SearchConfig) -> Supply:
        """Where the weights come from that students start from; raises ConfigError for a folder that cannot be used."""
        from autokd.weights.start import Supply

        return Supply(config.student_weights)

    def cost_model(self, config: SearchConfig, image_size: int) -> CostModel:
        """How seconds become dollars on this hardware, or on that of a file of costs."""
        from autokd.cost.costs_file import check_has, check_latency, read_costs
        from autokd.cost.pricing import cost_model_elsewhere, cost_model_for

        if config.costs is None:
            return cost_model_for(config, image_size)
        costs = read_costs(config.costs)
        check_has(costs, config.costs, config.teacher)
        check_latency(costs, config.costs, config.max_latency_ms)
        return cost_model_elsewhere(config, costs.cost_model)

    def decoding(self, prepared: Prepared, model: CostModel) -> Decoding | None:
        """What one of the user's pictures takes to be decoded here; None where they come decoded.

        The accelerators that are seen here share the cores that may be used.
        """
        import torch

        from autokd.data.decode_time import kept_decode_time
        from autokd.machine import usable_cores

        found = kept_decode_time(prepared.task_folder)
        sharing = max(1, torch.cuda.device_count()) if model.device.partition(":")[0] == "cuda" else 1
        return None if found is None else Decoding(milliseconds=found, cores=max(1, usable_cores() // sharing))

    def meter(self, prepared: Prepared, parameters: Mapping[str, int], config: SearchConfig, model: CostModel) -> Meter:
        """What tells the serving cost of teacher and students."""
        from autokd.cost.meter import MeasuredMeter, ParamsMeter
        from autokd.cost.runtimes.conversions import affordable_processes
        from autokd.zoo.build import build

        if model.model == "params":
            return ParamsMeter(parameters, model)
        if config.costs is not None:
            return _stored_meter(prepared, config, model, config.costs)
        teacher, classes = prepared.teacher.name, len(prepared.task.classes)
        trained = self.teacher if prepared.ready is None else prepared.ready.model

        def builder(name: str) -> nn.Module:
            if name == teacher and trained is not None:
                import copy

                return copy.deepcopy(trained).cpu()
            return build(name, classes, prepared.teacher_size if name == teacher else model.image_size)

        return MeasuredMeter(
            teacher,
            builder,
            model,
            config.max_latency_ms,
            prepared.teacher_size,
            processes=affordable_processes() if self.is_program else 1,
            expected=len(parameters) - 1,
        )

    def teacher_again(self, prepared: Prepared, config: SearchConfig, model: CostModel) -> Reading | None:
        """The teacher's cost once more; None where it is not measured here."""
        from autokd.progress import Silent

        if model.model == "params" or model.measured_elsewhere:
            return None
        meter = self.meter(prepared, {prepared.teacher.name: prepared.teacher.parameters}, config, model)
        return meter.read([], Silent())[prepared.teacher.name]

    def teacher_forms(
        self, prepared: Prepared, own: Reading, config: SearchConfig, meter: Meter, listener: Listener
    ) -> tuple[Form, ...]:
        """The teacher in cheaper forms; none where nothing is measured, or there is no trained teacher yet."""
        from autokd.cost.meter import MeasuredMeter
        from autokd.pipeline.cheaper_forms import teacher_forms

        if not isinstance(meter, MeasuredMeter) or prepared.ready is None or not config.cheaper_forms:
            return ()
        return teacher_forms(prepared, own, config, meter, listener)

    def form_reader(self, prepared: Prepared, config: SearchConfig, model: CostModel) -> StudentFormReader | None:
        """What reads students in cheaper forms; None where nothing is measured here."""
        from autokd.pipeline.student_forms import StudentFormReader

        if model.model == "params" or model.measured_elsewhere or not config.cheaper_forms:
            return None
        return StudentFormReader(prepared, config, model)

    def soft_labels(
        self,
        prepared: Prepared,
        config: SearchConfig,
        listener: Listener,
        since: float,
        settled: SoftLabelSet | None = None,
    ) -> SoftLabelSet:
        """Soft labels, a view for every epoch if they fit; their `seconds` are those spent since the run was started.

        settled: what an interrupted session of this run had of them, which is kept to.
        """
        from autokd.data.task import open_task
        from autokd.data.teacher_views import as_teacher_sees
        from autokd.soft_labels.write import seconds_since, write_soft_labels
        from autokd.training.device import leave_device, resolve_device

        assert prepared.ready is not None and config.epochs is not None  # noqa: S101
        device = resolve_device(config.device)
        data = open_task(prepared.task_folder, device, config.loader_workers)
        own = prepared.ready.record.preprocessing
        labels = write_soft_labels(
            prepared.ready,
            as_teacher_sees(data, own, device, config.loader_workers),
            config.epochs,
            views_seed(config),
            config.cache_dir,
            device,
            listener,
            limit_gb=config.cache_limit_gb,
            settled=settled,
            hold=prepared.hold,
        )
        leave_device(prepared.ready.model)
        return labels.model_copy(update={"seconds": seconds_since(labels, since)})

    def factory(
        self, prepared: Prepared, labels: SoftLabelSet, config: SearchConfig, candidates: Sequence[Candidate] = ()
    ) -> WorkshopFactory:
        """What trains a student, from the weights that the candidates start from."""
        from autokd.memory import free_memory
        from autokd.soft_labels.live_teacher import LiveTeacher
        from autokd.training.device import resolve_device
        from autokd.tune.worker import TrainingFactory
        from autokd.weights.start import weights_path

        free_memory()  # what measuring and soft labels have taken of a GPU is the trainings' now
        device = resolve_device(config.device)
        if config.engine == "ray" and device.startswith("cuda"):
            device = "cuda"  # Ray shows every training its own GPUs only
        live = None
        if labels.live:
            assert prepared.ready is not None  # noqa: S101
            ready = prepared.ready
            live = LiveTeacher.of(ready.model, ready.normalisation, ready.record.preprocessing)
            if config.engine == "ray" or worker_count(config) > 1:
                live.check_can_travel()
        return TrainingFactory(
            prepared.task_folder,
            labels,
            views_seed(config),
            device,
            live=live,
            compile=config.compile,
            deterministic=config.deterministic,
            loader_workers=config.loader_workers,
            gpu_share=gpu_share(config) if device.startswith("cuda") else 1.0,
            weights={c.student: weights_path(config.cache_dir, c.weights) for c in candidates if c.weights},
        )

    def placed(
        self, config: SearchConfig, prepared: Prepared, candidates: Sequence[Candidate], listener: Listener
    ) -> SearchConfig:
        """The settings with a number of workers where that is for us to choose, by measuring a middling student."""
        if not (self.is_program and candidates and is_measured(config)):
            return config
        found = measured_placement(config, prepared.task, candidates)
        if found is None:
            return config
        listener.note(found.reason)
        return placed_by(config, found)

    def epoch_seconds(
        self, prepared: Prepared, config: SearchConfig, candidates: Sequence[Candidate]
    ) -> Mapping[str, float]:
        """Device seconds of an epoch of each candidate, timed on made-up data."""
        from autokd.pipeline.timing import epoch_seconds

        return epoch_seconds(config, prepared.task, candidates)

    def engine(self, config: SearchConfig, run: Run) -> Engine:
        """What places trainings."""
        workers = worker_count(config)
        if config.engine == "ray":
            from autokd.tune.engines.ray import RayEngine

            return RayEngine(home=run.path, workers=workers, gpus=gpus_of_training(config), address=config.ray_address)
        from autokd.tune.engines.local import LocalEngine

        return LocalEngine(workers)

    def export(self, run: Run, finalist: FinalistRecord, weights: Path, task: Task, card: str) -> None:
        """The recommended student as a timm folder."""
        from autokd.export.timm_folder import export_timm

        export_timm(run.student_path, finalist, weights, task, card)


def _check_ray(config: SearchConfig) -> None:
    """Raises ConfigError for a cluster that does not answer, and for a training on a GPU without one."""
    gpus_of_training(config)
    if config.ray_address:
        from autokd.tune.engines.ray import connect

        connect(config.ray_address, worker_count(config))


def _stored_meter(prepared: Prepared, config: SearchConfig, model: CostModel, path: Path) -> Meter:
    """Reads a file of costs; raises ConfigError where it is of other image sizes."""
    from autokd.cost.costs_file import check_fits, read_costs
    from autokd.cost.stored_meter import StoredMeter
    from autokd.zoo.count import count_all

    costs, size = read_costs(path), prepared.task.transform.image_size
    check_fits(costs, path, prepared.teacher.name, prepared.teacher_size, size)

    def sizes(names: Sequence[str], classes: int) -> Mapping[str, Count]:
        return count_all(names, classes, size, config.cache_dir)[0]

    return StoredMeter(prepared.teacher.name, costs, model, sizes, len(prepared.task.classes))


def views_seed(config: SearchConfig) -> int:
    """Every search with the same seed, and a distilled student and its twin, see the same views."""
    return config.seed + VIEWS_SALT
