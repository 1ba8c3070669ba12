"""Stored soft labels against a live teacher: how much faster a training is, and whether the student is as good.

The live side is timm.task.LogitDistillationTask on the same student, views, order, optimizer, schedule, clipping and
precision. The ceiling is 1 + teacher forward / student step, both bare and measured in the same rounds. Promise: 0.9
of the ceiling or more, and accuracies that differ by no more than noise.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from bare import BareForward, BareStep
from live import live_training
from made import untrained_teacher
from scipy.stats import t as student_t
from timing import about, interleave, ratio, spread, table, timed

from autokd.config import SearchConfig
from autokd.data.image_store import Indices
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import EpochReport, Recipe, SoftLabelSet
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import ReadyTeacher, prepare_teacher
from autokd.training.batches import steps_per_epoch
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.zoo.build import build, normalisation

VIEWS_SEED = 7
WARM_UP = 1


@dataclass(frozen=True)
class Setting:
    """What both sides share."""

    data: TaskData
    teacher: ReadyTeacher
    made: SoftLabelSet
    labels: SoftLabels
    asked: argparse.Namespace

    def training(self, student: str, seed: int, epochs: int, short: bool = False) -> Training:
        """A distillation; `short` validates on one image, which leaves the time of training alone."""
        asked = self.asked
        data = replace(self.data, val=self.data.val[:1]) if short else self.data
        torch.manual_seed(seed)
        model = build(student, len(data.task.classes), data.task.transform.image_size)
        if normalisation(model) != self.teacher.normalisation:
            raise SystemExit(
                f"{student} and {asked.teacher} normalise differently; compare two that see the same pixels"
            )
        recipe = Recipe(
            learning_rate=asked.learning_rate,
            temperature=asked.temperature,
            alpha=asked.alpha,
            epochs=epochs,
            batch_size=asked.batch_size,
        )
        return Training(
            data=data,
            model=model,
            normalisation=normalisation(model),
            recipe=recipe,
            seed=seed,
            views_seed=VIEWS_SEED,
            device=asked.device,
            teacher=self.labels,
        )

    def cached(self, training: Training) -> Iterator[EpochReport]:
        """autokd's side, epoch by epoch."""
        return train(training)

    def live(self, training: Training) -> Iterator[float]:
        """timm's side, epoch by epoch."""
        return live_training(training, self.teacher.model)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what was asked for and print the tables."""
    asked = _parse(arguments)
    with tempfile.TemporaryDirectory() as folder:  # soft labels are written anew, so that their time is this run's
        setting = _setting(asked, Path(folder))
        print(about(asked.device))
        print(f"teacher {asked.teacher} at {asked.image_size} px, {len(setting.data.train)} training images\n")
        if "speed" in asked.parts:
            print(table([_speed(setting, student) for student in asked.students]) + "\n")
        if "accuracy" in asked.parts:
            rows = [row for student in asked.students for row in _accuracy(setting, student)]
            print(table(rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=("speed", "accuracy"), default=["speed", "accuracy"])
    parser.add_argument("--teacher", default="resnet152")
    parser.add_argument("--students", nargs="+", default=["mobilenetv3_large_100", "mobilenetv3_small_100"])
    parser.add_argument("--data", default="digits", help="digits or an image folder")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each side that are timed")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of a training whose accuracy is compared")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--teacher-epochs", type=int, help="where the teacher is trained here (part accuracy)")
    parser.add_argument("--teacher-weights", default="scratch", help="FILE, pretrained or scratch (part accuracy)")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--alpha", type=float, default=0.9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cache-dir", type=Path, help="where a trained teacher is kept for the next run")
    asked = parser.parse_args(arguments)
    if asked.seeds < 2:
        parser.error("--seeds: a spread needs two or more")
    return asked


def _setting(asked: argparse.Namespace, folder: Path) -> Setting:
    config = SearchConfig.of(
        teacher=asked.teacher,
        max_cost=1.0,
        data=asked.data,
        image_size=asked.image_size,
        batch_size=asked.batch_size,
        teacher_weights=asked.teacher_weights,
        teacher_epochs=asked.teacher_epochs,
        device=asked.device,
        cache_dir=asked.cache_dir or folder,
    )
    data = open_task(prepare_task(config, asked.image_size, Silent()), asked.device)
    if "accuracy" in asked.parts:
        teacher = prepare_teacher(config, data, asked.device, Silent())
    else:
        teacher = untrained_teacher(asked.teacher, data, asked.device)
    views = max(asked.epochs, WARM_UP + asked.rounds)
    made = write_soft_labels(teacher, data, views, VIEWS_SEED, folder, asked.device, Silent())
    if made.views < views:
        raise SystemExit(f"{folder} is too small a disk for the soft labels of {views} views")
    return Setting(data, teacher, made, SoftLabels(Path(made.folder), made.views, asked.device), asked)


def _speed(setting: Setting, student: str) -> dict[str, object]:
    """An epoch of each side, and as many bare steps and teacher forwards, round by round."""
    asked, task = setting.asked, setting.data.task
    epochs, steps = WARM_UP + asked.rounds, steps_per_epoch(len(setting.data.train), asked.batch_size)
    cached = setting.cached(setting.training(student, 0, epochs, short=True))
    live = setting.live(setting.training(student, 0, epochs, short=True))
    model, size, batch = setting.training(student, 0, epochs).model, task.transform.image_size, asked.batch_size
    step = BareStep(model, len(task.classes), size, batch, asked.device)
    forward = BareForward(setting.teacher.model, size, batch, asked.device)
    seconds = interleave(
        {
            "cached": lambda: next(cached),
            "live": lambda: next(live),
            "step": lambda: step.run(steps),
            "forward": lambda: forward.run(steps),
        },
        asked.rounds,
        asked.device,
        WARM_UP,
    )
    speed_up, ceiling = ratio(seconds["live"], seconds["cached"]), 1 + ratio(seconds["forward"], seconds["step"])
    per_view = setting.made.seconds / setting.made.views
    gained = float(np.median(np.subtract(seconds["live"], seconds["cached"])))
    return {
        "student": student,
        "live / cached": speed_up,
        "middle half": spread(seconds["live"], seconds["cached"]),
        "ceiling": ceiling,
        "of the ceiling": speed_up / ceiling,
        "writing a view / live epoch": per_view / float(np.median(seconds["live"])),
        "trainings that repay writing": per_view / gained if gained > 0 else "never",
    }


def _accuracy(setting: Setting, student: str) -> list[dict[str, object]]:
    """Both sides from the same seeds: accuracies, their paired difference, and the time of whole trainings."""
    found: dict[str, list[tuple[float, float]]] = {"cached": [], "live": []}
    seconds: dict[str, list[float]] = {"cached": [], "live": []}
    for seed in range(1, setting.asked.seeds + 1):
        sides = {"cached": setting.cached, "live": setting.live}
        for side in list(sides) if seed % 2 else reversed(list(sides)):
            training = setting.training(student, seed, setting.asked.epochs)
            epochs = sides[side](training)
            seconds[side].append(timed(lambda epochs=epochs: list(epochs), setting.asked.device))  # type: ignore[misc]
            found[side].append((_of(training, training.data.val), _of(training, training.data.test)))
    whole = ratio(seconds["live"], seconds["cached"])
    return [
        _compared(student, part, [f[i] for f in found["cached"]], [f[i] for f in found["live"]], whole)
        for i, part in enumerate(("validation", "test"))
    ]


def _of(training: Training, indices: Indices) -> float:
    logits = predict(training.model, training.data, indices, training.normalisation, training.device)
    return accuracy(logits, training.data.labels[indices])


def _compared(
    student: str, part: str, cached: Sequence[float], live: Sequence[float], whole: float
) -> dict[str, object]:
    differences = np.subtract(cached, live)
    error = float(differences.std(ddof=1)) / len(differences) ** 0.5
    reach = float(student_t.ppf(0.975, len(differences) - 1)) * error
    return {
        "student": student,
        "part": part,
        "cached": f"{np.mean(cached):.4f}",
        "live": f"{np.mean(live):.4f}",
        "difference": f"{differences.mean():+.4f}",
        "95 % interval": f"{differences.mean() - reach:+.4f} to {differences.mean() + reach:+.4f}",
        "sd over seeds": f"{np.std([*cached], ddof=1):.4f} and {np.std([*live], ddof=1):.4f}",
        "seeds": len(cached),
        "live / cached, validation included": whole,
    }


if __name__ == "__main__":
    main()
