"""The real workshop: builds a student, trains it by its recipe, and leaves history, logits and weights behind."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from autokd.data.task import TaskData, open_task
from autokd.distill.evaluate import accuracy, predict
from autokd.distill.loop import Training, train
from autokd.records import EpochReport, SeedResult
from autokd.run import read_json, usable_cores, write_bytes, write_text
from autokd.teacher.softlabels import SoftLabels, SoftLabelSet
from autokd.tune.engines.base import Job, Outcome, Workshop
from autokd.tune.history import write_history
from autokd.zoo.build import build, normalisation


@dataclass(frozen=True)
class TrainingFactory:
    """See WorkshopFactory; `device` is one device, or "cuda" for one GPU a slot."""

    task_folder: Path
    soft_labels: SoftLabelSet | None
    views_seed: int
    device: str

    def __call__(self, slot: int, slots: int) -> Workshop:
        """See WorkshopFactory."""
        device = self.device
        if device == "cuda" and slots > 1:
            device = f"cuda:{slot % torch.cuda.device_count()}"
        if torch.device(device).type == "cpu" and slots > 1:
            torch.set_num_threads(max(1, usable_cores() // slots))
        return TrainingWorkshop(self, device)

    def files(self) -> list[Path]:
        """See WorkshopFactory."""
        files = [path for path in self.task_folder.iterdir() if not path.name.startswith(".")]
        array = read_json(self.task_folder / "task.json")["images"]["array"]
        if array is not None:
            files.append((self.task_folder / array).resolve())
        if self.soft_labels is not None:
            folder = Path(self.soft_labels.folder)
            files += [path for path in folder.iterdir() if not path.name.startswith(".")]
        return files

    def moved(self, to: Path) -> TrainingFactory:
        """See WorkshopFactory."""
        labels = self.soft_labels
        if labels is not None:
            labels = labels.model_copy(update={"folder": str(_below(to, Path(labels.folder)))})
        return replace(self, task_folder=_below(to, self.task_folder), soft_labels=labels)


def _below(root: Path, path: Path) -> Path:
    return root / path.resolve().relative_to("/")


class TrainingWorkshop:
    """See Workshop. Data and soft labels are opened once and serve every job."""

    def __init__(self, factory: TrainingFactory, device: str) -> None:
        self._data: TaskData = open_task(factory.task_folder, device)
        self._device, self._views_seed = device, factory.views_seed
        labels = factory.soft_labels
        self._teacher = SoftLabels(Path(labels.folder), labels.views, device) if labels else None

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        """See Workshop."""
        folder, proposal = Path(job.folder), job.proposal
        task = self._data.task
        torch.manual_seed(job.seed)
        model = build(proposal.student, len(task.classes), task.transform.image_size)
        training = Training(
            data=self._data,
            model=model,
            normalisation=normalisation(model),
            recipe=proposal.recipe,
            seed=job.seed,
            views_seed=self._views_seed,
            device=self._device,
            teacher=self._teacher,
            checkpoint=folder / "checkpoint.pt",
        )
        history = []
        for report in train(training):
            history.append(report)
            write_history(folder, history)
            yield report
        seconds = sum(report.seconds for report in history)
        test_accuracy = self._keep(job, training, history[-1].val_accuracy, seconds) if job.final else None
        (folder / "checkpoint.pt").unlink(missing_ok=True)
        yield Outcome(
            epochs=len(history), val_accuracy=history[-1].val_accuracy, test_accuracy=test_accuracy, seconds=seconds
        )

    def _keep(self, job: Job, training: Training, val_accuracy: float, seconds: float) -> float:
        """A finalist's weights and test logits, and last of all result.json, which says that it is done."""
        folder, data = Path(job.folder), self._data
        logits = predict(training.model, data, data.test, training.normalisation, self._device)
        np.save(folder / "test_logits.npy", logits.numpy())
        save_weights(training.model, folder / "weights.safetensors")
        result = SeedResult(
            seed=job.seed,
            val_accuracy=val_accuracy,
            test_accuracy=accuracy(logits, data.labels[data.test]),
            device_seconds=seconds,
        )
        write_text(folder / "result.json", result.model_dump_json(indent=1) + "\n")
        return result.test_accuracy


def save_weights(model: nn.Module, path: Path) -> None:
    """The state dict as safetensors, contiguous, on the CPU."""
    from safetensors.torch import save

    write_bytes(path, save({key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}))
