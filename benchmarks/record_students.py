"""Train many students for real and write a table that bench_screening.py replays; goes on where it stopped.

Every student is trained from scratch at each learning rate, by one recipe, on the same images; validation accuracy is
kept for every epoch, and the milliseconds that its served form takes for a batch of 8. Students above 25 M parameters
get a row without accuracies. With --data digits the images are scikit-learn's; else IDX files, or patterns.
"""

from __future__ import annotations

import argparse
import copy
import csv
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from made import idx_folder, pattern_folder
from torch import nn

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Recipe
from autokd.training.loop import Training, train
from autokd.tune.space.files import read_space
from autokd.zoo.build import build, normalisation
from autokd.zoo.count import family, module_macs
from autokd.zoo.scaling import scaled_students
from autokd.zoo.served_form import served_form
from autokd.zoo.student_name import base_name

SCALED = {
    "resnet18": ([0.35, 0.5, 0.75, 1.0], [0.5, 1.0]),
    "resnet26": ([0.5, 0.75], [1.0]),
    "convnext_femto": ([0.5, 0.75, 1.0], [0.5, 1.0]),
    "vit_tiny_patch16_224": ([0.67, 1.0, 1.33], [0.5, 1.0]),
    "swin_tiny_patch4_window7_224": ([0.25, 0.5], [0.5, 1.0]),
}
LARGEST = 25_000_000  # parameters; larger ones take too long on a CPU
FIELDS = ("student", "family", "parameters", "macs", "serving_ms", "learning_rate", "epochs", "val_accuracy")
PASSES = 15


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the table lacks."""
    asked = _parse(arguments)
    known = _known(asked.table)
    with tempfile.TemporaryDirectory() as folder:
        data = _task(asked, Path(folder))
        for student in asked.students or _students():
            for rate in asked.learning_rates:
                if (student, rate) not in known:
                    _append(asked.table, _trained(asked, student, rate, data))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "students.csv")
    parser.add_argument("--students", nargs="*", help="default: the space `default`, and scaled ones of five families")
    parser.add_argument("--learning-rates", nargs="+", type=float, default=[5e-4, 2e-3])
    parser.add_argument("--data", choices=["digits", "images"], default="images")
    parser.add_argument("--idx-dir", type=Path, help="IDX files of 28 px images; without it patterns are made")
    parser.add_argument("--train-images", type=int, default=1500)
    parser.add_argument("--val-images", type=int, default=2000)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _students() -> list[str]:
    names = read_space("default").names()
    for model, (widths, depths) in SCALED.items():
        names += scaled_students(model, widths, depths)
    return list(dict.fromkeys(names))


def _task(asked: argparse.Namespace, folder: Path) -> TaskData:
    if asked.data == "digits":
        return _opened(asked, "digits", folder)
    counts = {"train": asked.train_images, "val": asked.val_images, "test": 100}
    root = folder / "images"
    images = idx_folder(root, counts, 28, asked.idx_dir) if asked.idx_dir else pattern_folder(root, counts, 28)
    return _opened(asked, str(images), folder)


def _opened(asked: argparse.Namespace, data: str, folder: Path) -> TaskData:
    size = asked.image_size
    config = SearchConfig.of(teacher="resnet152", max_cost=1.0, data=data, image_size=size, cache_dir=folder / "cache")
    return open_task(prepare_task(config, size, Silent()), asked.device)


def _known(table: Path) -> set[tuple[str, float]]:
    if not table.exists():
        return set()
    with table.open(encoding="utf-8", newline="") as file:
        return {(row["student"], float(row["learning_rate"])) for row in csv.DictReader(file)}


def _trained(asked: argparse.Namespace, student: str, rate: float, data: TaskData) -> dict[str, object]:
    """One row; `val_accuracy` has a value for every epoch, and none for a student that is too large or failed."""
    torch.manual_seed(0)
    row: dict[str, object] = {"student": student, "family": family(base_name(student)), "learning_rate": rate}
    model = build(student, len(data.task.classes), asked.image_size)
    row |= {"parameters": sum(p.numel() for p in model.parameters()), "macs": module_macs(model, asked.image_size)}
    accuracies: list[float] = []
    if int(str(row["parameters"])) <= LARGEST:
        training = Training(
            data=data,
            model=model,
            normalisation=normalisation(model),
            recipe=Recipe(learning_rate=rate, epochs=asked.epochs, batch_size=asked.batch_size),
            seed=0,
            views_seed=0,
            device=asked.device,
        )
        row["serving_ms"] = f"{_serving_ms(served_form(copy.deepcopy(model)), asked.image_size):.3f}"
        accuracies = [report.val_accuracy for report in train(training)]
    print(student, rate, accuracies[-1:], flush=True)
    return row | {"epochs": len(accuracies), "val_accuracy": " ".join(f"{a:.4f}" for a in accuracies)}


def _serving_ms(model: nn.Module, image_size: int) -> float:
    """Median of some passes of a batch of 8, in CPU time, which other processes do not lengthen much."""
    images, taken = torch.randn(8, 3, image_size, image_size), []
    with torch.inference_mode():
        for _ in range(3 + PASSES):
            begun = time.process_time()
            model(images)
            taken.append(time.process_time() - begun)
    return 1000 * statistics.median(taken[3:])


def _append(table: Path, row: dict[str, object]) -> None:
    fresh = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
