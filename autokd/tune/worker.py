"""The real workshop: builds a student, trains it by its recipe, and leaves history, logits and weights behind."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from autokd.data.image_store import Indices
from autokd.data.task import TaskData, decoded_images, open_task
from autokd.data.teacher_views import as_teacher_sees, teacher_arrays
from autokd.data.workers import worker_count
from autokd.files import make_folder
from autokd.machine import usable_cores
from autokd.records import EpochReport, SeedResult, SoftLabelSet
from autokd.runs.arrays import Part, write_logits
from autokd.runs.store import CHECKPOINT, RESULT, WEIGHTS, StoredFile
from autokd.runs.tables import write_history
from autokd.soft_labels.live_teacher import LiveTeacher, Views, views_at_own_size
from autokd.soft_labels.read import SoftLabels, files_of
from autokd.training.batches import batch_images, steps_per_epoch
from autokd.training.compile_and_timing import Compilation, try_compile
from autokd.training.device import use_device
from autokd.training.evaluate import Normalisation, accuracy, predict
from autokd.training.loop import TeacherLogits, Training, train
from autokd.tune.engines.protocol import Job, Outcome, Workshop
from autokd.weights.published import start_from
from autokd.weights.save import save_state
from autokd.zoo.build import build, normalisation

COMPILATION = StoredFile[Compilation]("compile.json", Compilation)  # in the folder of a training


@dataclass(frozen=True)
class TrainingFactory:
    """See WorkshopFactory; `device` is one device, or "cuda" for one GPU a slot. `live` stands for soft labels.

    gpu_share: the part of a GPU that a training has.
    """

    task_folder: Path
    soft_labels: SoftLabelSet | None
    views_seed: int
    device: str
    compile: bool = False
    deterministic: bool = True
    live: LiveTeacher | None = None
    loader_workers: int | None = None  # of each training; None: the cores less one, shared by those on a machine
    gpu_share: float = 1.0
    weights: Mapping[str, Path] = field(default_factory=dict)  # that students start from; the others start at random

    def __call__(self, slot: int, slots: int) -> Workshop:
        """See WorkshopFactory."""
        device = self.device
        if device == "cuda":
            device = f"cuda:{slot % max(1, torch.cuda.device_count())}"
        use_device(device)
        if torch.device(device).type == "cpu" and slots > 1:
            torch.set_num_threads(max(1, min(torch.get_num_threads(), usable_cores()) // slots))
        loaders = worker_count(None, slots) if self.loader_workers is None else self.loader_workers
        share = 1 / slots if torch.device(device).type == "cpu" else self.gpu_share
        return TrainingWorkshop(self, device, loaders, share)

    def files(self) -> list[Path]:
        """See WorkshopFactory."""
        files = [path for path in self.task_folder.iterdir() if not path.name.startswith(".")]
        files += decoded_images(self.task_folder)
        files += teacher_arrays(self.task_folder, self.live.preprocessing) if self.live is not None else []
        return [*files, *(files_of(self.soft_labels) if self.soft_labels is not None else []), *self.weights.values()]

    def views_of_teacher(self, data: TaskData, device: str, loader_workers: int) -> Views | None:
        """Of a live teacher with an image size of its own; None: it sees the students' views."""
        own = self.live.preprocessing if self.live is not None else None
        if own is None or own.image_size == data.shown_size:
            return None
        return views_at_own_size(as_teacher_sees(data, own, device, loader_workers), self.views_seed)

    def moved(self, to: Path) -> TrainingFactory:
        """See WorkshopFactory."""
        labels = self.soft_labels
        if labels is not None:
            labels = labels.model_copy(update={"folder": str(_below(to, Path(labels.folder)))})
        weights = {student: _below(to, path) for student, path in self.weights.items()}
        return replace(self, task_folder=_below(to, self.task_folder), soft_labels=labels, weights=weights)


def _below(root: Path, path: Path) -> Path:
    return root / path.resolve().relative_to("/")


class TrainingWorkshop:
    """See Workshop. Data and soft labels are opened once and serve every job."""

    def __init__(self, factory: TrainingFactory, device: str, loader_workers: int, share: float = 1.0) -> None:
        self._share = share
        self._data: TaskData = open_task(factory.task_folder, device, loader_workers)
        self._device, self._views_seed, self._compile = device, factory.views_seed, factory.compile
        self._weights, self._deterministic = factory.weights, factory.deterministic
        self._compilations: dict[tuple[str, int, int], Compilation] = {}
        labels = factory.soft_labels
        self._views = labels.cycle if labels else None
        self._teacher: TeacherLogits | None = None
        if factory.live is not None:
            self._teacher = factory.live.on(device, factory.views_of_teacher(self._data, device, loader_workers))
        elif labels is not None:
            self._teacher = SoftLabels(Path(labels.folder), labels.views, device)

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        """See Workshop."""
        folder, proposal = Path(job.folder), job.proposal
        model = self._student(job)
        if proposal.recipe.epochs == 0:
            yield self._as_it_is(job, model)
            return
        compilation = self._compilation(job, model)
        training = Training(
            data=self._data,
            model=model,
            normalisation=normalisation(model),
            recipe=proposal.recipe,
            seed=job.seed,
            views_seed=self._views_seed,
            device=self._device,
            teacher=self._teacher,
            views=self._views if proposal.recipe.alpha > 0 or job.twin else None,  # others need no soft labels
            checkpoint=folder / CHECKPOINT,
            accumulate=job.accumulate,
            compiled=bool(compilation and compilation.used),
            share=self._share,
            deterministic=self._deterministic,
        )
        history: list[EpochReport] = []
        for report in train(training):
            notes = [note for note in (report.note, compilation.reason if compilation else "") if note]
            report = report.model_copy(update={"note": "; ".join(notes)})
            history = [*history[: report.epoch - 1], report]  # a training may begin again
            write_history(folder, history)
            yield report
        seconds = sum(report.seconds for report in history)
        test_accuracy, last = None, history[-1]
        if job.final:
            kept = self._keep(job, model, training.normalisation, history)
            test_accuracy = kept.test_accuracy
            (folder / CHECKPOINT).unlink(missing_ok=True)  # a trial's goes when the ledger has its result
        yield Outcome(epochs=len(history), val_accuracy=last.val_accuracy, test_accuracy=test_accuracy, seconds=seconds)

    def _student(self, job: Job) -> nn.Module:
        """The job's student as its training begins: drawn from the seed, then the weights that it starts from."""
        student, task = job.proposal.student, self._data.task
        torch.manual_seed(job.seed)
        drop_path = job.proposal.recipe.drop_path
        model = build(student, len(task.classes), task.transform.image_size, drop_path=drop_path)
        if (start := self._weights.get(student)) is not None:
            start_from(model, start)
        return model

    def _as_it_is(self, job: Job, model: nn.Module) -> Outcome:
        """A student that is not trained: its accuracy on validation and, for a finalist, all that is kept of one."""
        model = model.to(self._device).to(memory_format=torch.channels_last)
        data, stats = self._data, normalisation(model)
        found = accuracy(predict(model, data, data.val, stats, self._device), data.labels[data.val])
        test_accuracy = self._keep(job, model, stats, [], found).test_accuracy if job.final else None
        return Outcome(epochs=0, val_accuracy=found, test_accuracy=test_accuracy, seconds=0.0)

    def _compilation(self, job: Job, model: nn.Module) -> Compilation | None:
        """Whether this training is compiled, as its folder remembers or as a try tells; None where nobody asks."""
        if not self._compile:
            return None
        folder = Path(job.folder)
        if known := COMPILATION.read_if_there(folder):
            return known
        recipe = job.proposal.recipe
        steps = recipe.epochs * steps_per_epoch(len(self._data.train), recipe.batch_size) * job.accumulate
        key = (job.proposal.student, batch_images(self._data, recipe) // job.accumulate, steps)
        if key not in self._compilations:
            size = self._data.task.transform.image_size
            self._compilations[key] = try_compile(model, size, key[1], steps, self._device)
        COMPILATION.write(folder, self._compilations[key])
        return self._compilations[key]

    def _keep(
        self,
        job: Job,
        model: nn.Module,
        stats: Normalisation,
        history: Sequence[EpochReport],
        val_accuracy: float = 0.0,
    ) -> SeedResult:
        """A finalist's weights and test logits, and last of all result.json, which says that it is done.

        val_accuracy: of a model that was not trained.
        """
        folder, data = Path(job.folder), self._data
        make_folder(folder)
        parts: list[tuple[Part, Indices]] = [("val", data.val), ("test", data.test)]
        for part, indices in parts:
            logits = predict(model, data, indices, stats, self._device)
            write_logits(folder, part, logits.numpy())
        save_state(folder / WEIGHTS, model.state_dict())
        result = SeedResult(
            seed=job.seed,
            val_accuracy=history[-1].val_accuracy if history else val_accuracy,
            test_accuracy=accuracy(logits, data.labels[data.test]),
            device_seconds=sum(report.seconds for report in history),
            accumulate=history[-1].accumulate if history else 1,
            late_gain=late_gain(history),
        )
        RESULT.write(folder, result)
        return result


def late_gain(history: Sequence[EpochReport]) -> float | None:
    """What a training gained in validation accuracy in the last quarter of its epochs; None for fewer than four."""
    if len(history) < 4:
        return None
    return history[-1].val_accuracy - history[-1 - len(history) // 4].val_accuracy
