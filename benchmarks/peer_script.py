"""The search that a good user would write without autokd: Optuna, timm's models, timm.task with a live teacher.

Reads DIR/train and DIR/val, prints one line of JSON. Nothing here is imported from autokd.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from pathlib import Path
from typing import Any

import optuna
import timm
import torch
from safetensors.torch import load_file
from timm.data import create_dataset
from timm.models import resolve_model_input_args
from timm.task import LogitDistillationTask
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms.functional import normalize


class Search:
    """Loaders and teacher are made once and serve every trial."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked, self.device = asked, torch.device(asked.device)
        self.train = self._loader("train", _augmentation(asked.image_size), asked.batch_size, shuffle=True)
        self.val = self._loader("val", _centre(asked.image_size), 256, shuffle=False)
        self.classes = len(self.train.dataset.reader.class_to_idx)  # type: ignore[attr-defined]
        self.teacher = self.create(asked.teacher)
        self.teacher.load_state_dict(load_file(asked.teacher_weights))
        self.teacher = self._placed(self.teacher).eval().requires_grad_(False)
        self.images = 0  # that were trained on, over all trials

    def create(self, name: str) -> nn.Module:
        """A timm model for this task."""
        arguments = resolve_model_input_args(name, {"img_size": self.asked.image_size})
        fixed = {"img_size": self.asked.image_size} if "img_size" in arguments else {}
        model: nn.Module = timm.create_model(name, num_classes=self.classes, **fixed)
        return model

    def objective(self, trial: optuna.Trial) -> float:
        """Train one student; validation accuracy after its last epoch."""
        asked = self.asked
        name = trial.suggest_categorical("student", asked.students)
        temperature = trial.suggest_float("temperature", 1.0, 20.0, log=True)
        alpha = trial.suggest_float("alpha", 0.3, 1.0)
        learning_rate = trial.suggest_float("learning_rate", 3e-4, 3e-3, log=True)
        torch.manual_seed(asked.seed)
        student = self._placed(self.create(name))
        task = LogitDistillationTask(
            student,
            self.teacher,
            criterion=nn.CrossEntropyLoss(),
            task_loss_weight=1 - alpha,
            temperature=temperature,
            device=self.device,
            verbose=False,
        )
        optimizer = torch.optim.AdamW(student.parameters(), lr=learning_rate, weight_decay=0.05, fused=True)
        steps = asked.epochs * len(self.train)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warm_up_and_cosine(step, steps))
        accuracy = 0.0
        for epoch in range(1, asked.epochs + 1):
            self._train_epoch(task, student, optimizer, scheduler)
            accuracy = self._accuracy(student)
            trial.report(accuracy, epoch)
            if epoch < asked.epochs and trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    def _train_epoch(
        self,
        task: LogitDistillationTask,
        student: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        task.train()
        for images, labels in self.train:
            inputs, targets = self._inputs(images, student), labels.to(self.device, non_blocking=True)
            with self._precision():
                loss = task(inputs, targets)["loss"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            scheduler.step()
            self.images += len(labels)

    @torch.inference_mode()
    def _accuracy(self, student: nn.Module) -> float:
        student.eval()
        right = torch.zeros((), device=self.device)
        for images, labels in self.val:
            with self._precision():
                scores = student(self._inputs(images, student))
            right += (scores.argmax(1) == labels.to(self.device)).sum()
        return float(right) / self.size(self.val)

    def _inputs(self, images: Tensor, student: nn.Module) -> Tensor:
        """The student's own normalisation; the task translates it to the teacher's."""
        on_device = images.to(self.device, non_blocking=True).to(memory_format=torch.channels_last)
        known: dict[str, Any] = student.pretrained_cfg  # type: ignore[assignment]
        normalised: Tensor = normalize(on_device, known["mean"], known["std"])
        return normalised

    @staticmethod
    def size(loader: DataLoader[Any]) -> int:
        """Images of a loader."""
        return len(loader.dataset)  # type: ignore[arg-type]

    def _placed(self, model: nn.Module) -> nn.Module:
        return model.to(self.device).to(memory_format=torch.channels_last)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.asked.bf16)

    def _loader(self, split: str, transform: transforms.Compose, batch_size: int, shuffle: bool) -> DataLoader[Any]:
        workers = self.asked.workers
        return DataLoader(
            create_dataset("", root=str(self.asked.data), split=split, transform=transform),
            batch_size=batch_size,
            shuffle=shuffle,
            drop_last=shuffle,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
        )


def warm_up_and_cosine(step: int, steps: int) -> float:
    """Factor of the learning rate: a tenth of warm-up, then a cosine to zero."""
    warm_up = max(1, round(0.1 * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _augmentation(size: int) -> transforms.Compose:
    crop = transforms.RandomCrop(size, padding=size // 8, padding_mode="reflect")
    return transforms.Compose([*_sized(size), crop, transforms.RandomHorizontalFlip(), transforms.ToTensor()])


def _centre(size: int) -> transforms.Compose:
    return transforms.Compose([*_sized(size), transforms.ToTensor()])


def _sized(size: int) -> list[Any]:
    """Costs nothing where the files have the size already."""
    bicubic = transforms.InterpolationMode.BICUBIC
    return [transforms.Resize(size, interpolation=bicubic), transforms.CenterCrop(size)]


def _pruner(asked: argparse.Namespace) -> optuna.pruners.BasePruner:
    """Not before a third of the epochs, like autokd's; `halving` is autokd's own pruner."""
    first = math.ceil(asked.epochs / 3)
    if asked.pruner == "none":
        return optuna.pruners.NopPruner()
    if asked.pruner == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(min_resource=first, reduction_factor=2)
    return optuna.pruners.MedianPruner(n_startup_trials=max(1, asked.trials // 4), n_warmup_steps=first)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--teacher-weights", required=True, help="a safetensors file")
    parser.add_argument("--students", nargs="+", required=True)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pruner", choices=("median", "halving", "none"), default="median")
    parser.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1), help="processes of each loader")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--enqueue", type=Path, help="JSON list of parameters to try instead of sampled ones")
    return parser.parse_args()


def main() -> None:
    """Search, and say what came of it."""
    started, asked = time.perf_counter(), _parse()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    search = Search(asked)
    sampler = optuna.samplers.TPESampler(seed=asked.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=_pruner(asked))
    for parameters in json.loads(asked.enqueue.read_text()) if asked.enqueue else []:
        study.enqueue_trial(parameters)
    study.optimize(search.objective, n_trials=asked.trials)
    states = [trial.state.name for trial in study.trials]
    result = {
        "seconds": time.perf_counter() - started,
        "trials": len(states),
        "pruned": states.count("PRUNED"),
        "images": search.images,
        "train_images": search.size(search.train),
        "best": study.best_value,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
