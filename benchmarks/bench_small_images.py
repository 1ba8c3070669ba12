"""What helps models on small images: a larger input, a smaller output stride, smaller patches; accuracy and cost.

Every case is a student (settings included) and an image size, trained directly from scratch by one recipe on the same
images. Serving and training times are multiples of the first case of the same model, taken in turns in one run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from bare import BareForward, BareStep
from made import idx_folder, pattern_folder
from timing import about, interleave, ratio, table

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Recipe
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.zoo.build import build, normalisation
from autokd.zoo.count import module_macs
from autokd.zoo.student_name import base_name

CASES = (
    *("resnet18:32", "resnet18:48", "resnet18:64", "resnet18@output_stride=16:32", "resnet18@output_stride=8:32"),
    *("mobilenetv3_small_100:32", "mobilenetv3_small_100:48", "mobilenetv3_small_100:64"),
    *("efficientnet_lite0:32", "efficientnet_lite0:64", "efficientnet_lite0@output_stride=16:32"),
    *("convnext_femto:32", "convnext_femto:64", "convnext_femto@patch_size=2:32"),
    *("vit_tiny_patch16_224:32", "vit_tiny_patch16_224:64", "vit_tiny_patch16_224@patch_size=8:32"),
    "vit_tiny_patch16_224@patch_size=4:32",
    *("regnety_002:32", "regnety_002:64"),
)


@dataclass(frozen=True)
class Case:
    """A student at an image size."""

    student: str
    size: int

    @classmethod
    def of(cls, text: str) -> Case:
        """From `student:size`."""
        student, mark, size = text.rpartition(":")
        if not mark or not size.isdigit():
            raise SystemExit(f"{text} is no case; write student:size, for example resnet18:32")
        return cls(student, int(size))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and time every case and print the table."""
    asked = _parse(arguments)
    cases = [Case.of(text) for text in asked.cases]
    print(about(asked.device))
    with tempfile.TemporaryDirectory() as folder:
        data = _folder(asked, Path(folder) / "images")
        tasks = {size: _task(asked, data, Path(folder) / "cache", size) for size in sorted({c.size for c in cases})}
        train_images, test_images = len(tasks[cases[0].size].train), len(tasks[cases[0].size].test)
        print(f"{train_images} training and {test_images} test images, {asked.epochs} epochs, {asked.seeds} seeds\n")
        accuracies = {case: _accuracies(asked, case, tasks[case.size]) for case in cases}
        print(table(_rows(asked, cases, accuracies)))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="STUDENT:SIZE")
    parser.add_argument("--idx-dir", type=Path, help="IDX files of 28 px images; without it patterns are made")
    parser.add_argument("--train-images", type=int, default=4000)
    parser.add_argument("--test-images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--serve-batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7, help="of timing")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _folder(asked: argparse.Namespace, root: Path) -> Path:
    counts = {"train": asked.train_images, "val": 100, "test": asked.test_images}
    return idx_folder(root, counts, 28, asked.idx_dir) if asked.idx_dir else pattern_folder(root, counts, 28)


def _task(asked: argparse.Namespace, data: Path, cache: Path, size: int) -> TaskData:
    config = SearchConfig.of(teacher="resnet152", max_cost=1.0, data=str(data), image_size=size, cache_dir=cache)
    return open_task(prepare_task(config, size, Silent()), asked.device)


def _accuracies(asked: argparse.Namespace, case: Case, data: TaskData) -> list[float]:
    """Test accuracies, one for each seed."""
    found = []
    for seed in range(1, asked.seeds + 1):
        torch.manual_seed(seed)
        model = build(case.student, len(data.task.classes), case.size)
        recipe = Recipe(learning_rate=asked.learning_rate, epochs=asked.epochs, batch_size=asked.batch_size)
        training = Training(
            data=data,
            model=model,
            normalisation=normalisation(model),
            recipe=recipe,
            seed=seed,
            views_seed=0,
            device=asked.device,
        )
        for _ in train(training):
            pass
        logits = predict(training.model, data, data.test, training.normalisation, asked.device)
        found.append(accuracy(logits, data.labels[data.test]))
        print(f"{case.student} at {case.size} px, seed {seed}: {found[-1]:.4f}", flush=True)
    return found


def _rows(
    asked: argparse.Namespace, cases: Sequence[Case], accuracies: dict[Case, list[float]]
) -> list[dict[str, object]]:
    """A row for each case; times and MACs against the first case of the same model."""
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys(base_name(case.student) for case in cases):
        own = [case for case in cases if base_name(case.student) == name]
        serving, training = _times(asked, own)
        macs = {case: module_macs(build(case.student, 10, case.size), case.size) for case in own}
        rows += [
            {
                "student": case.student,
                "pixels": case.size,
                "test accuracy": f"{np.mean(accuracies[case]):.4f}",
                "MACs": macs[case] / macs[own[0]],
                "serving time": ratio(serving[str(case)], serving[str(own[0])]),
                "training time": ratio(training[str(case)], training[str(own[0])]),
            }
            for case in own
        ]
    return rows


def _times(asked: argparse.Namespace, cases: Sequence[Case]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds a round of serving and of training, by case."""
    forwards, steps = {}, {}
    for case in cases:
        served = build(case.student, 10, case.size).eval()
        forward = BareForward(served, case.size, asked.serve_batch_size, asked.device)
        step = BareStep(build(case.student, 10, case.size), 10, case.size, asked.batch_size, asked.device)
        forwards[str(case)] = lambda forward=forward: forward.run(10)
        steps[str(case)] = lambda step=step: step.run(2)
    return interleave(forwards, asked.rounds, asked.device), interleave(steps, asked.rounds, asked.device)


if __name__ == "__main__":
    main()
