"""Train many students for real and write a table that bench_screening.py replays; goes on where it stopped.

Every student is trained from scratch on the same images, directly and from the soft labels of one teacher, at each
learning rate and from each seed; and as a screening does it: directly, at the rate that is nearest to autokd's default
for its family, for an eighth, a quarter and half of the epochs. Validation and test accuracy are kept for every epoch,
and the milliseconds that the student's served form takes for a batch of 8. All students come before the next seed,
small ones first. The images are scikit-learn's digits (--data digits), IDX files (--idx-dir) or patterns; teacher and
soft labels are kept in --work.

--costs-only trains nothing: it times every student of the table anew, so that all rows tell the speed of one machine.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from made import idx_folder, pattern_folder
from torch import nn

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task
from autokd.files import write_text
from autokd.pipeline.services import Parts, views_seed
from autokd.progress import Silent
from autokd.records import ARMS, Arm, Recipe
from autokd.soft_labels.read import SoftLabels
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.training.presets import preset
from autokd.tune.space.files import read_space
from autokd.zoo.build import build, normalisation
from autokd.zoo.count import Count, counted, family, module_macs
from autokd.zoo.scaling import scaled_students
from autokd.zoo.served_form import served_form
from autokd.zoo.student_name import base_name

SPACES = ("default", "mobile", "convnet", "transformer")
SCALED = {
    "resnet18": ([0.35, 0.5, 0.75, 1.0], [0.5, 1.0]),
    "resnet26": ([0.5, 0.75], [1.0]),
    "convnext_femto": ([0.5, 0.75, 1.0], [0.5, 1.0]),
    "vit_tiny_patch16_224": ([0.67, 1.0, 1.33], [0.5, 1.0]),
    "swin_tiny_patch4_window7_224": ([0.25, 0.5], [0.5, 1.0]),
}
LARGEST = 25_000_000  # parameters; larger ones take too long on a CPU
ROUNDS = 15
CLASSES = 10  # of the models that are timed
TEMPERATURE, ALPHA = 4.0, 0.9  # of plain distillation
FIELDS = (
    *("data", "student", "family", "parameters", "macs", "serving_ms"),
    *("arm", "learning_rate", "seed", "epochs", "val_accuracy", "test_accuracy"),
)


class Row(NamedTuple):
    """What a training is told by."""

    data: str
    student: str
    arm: Arm
    learning_rate: float
    seed: int
    epochs: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the table lacks."""
    asked = _parse(arguments)
    if asked.costs_only:
        _time_all(asked.table, asked.image_size)
        return
    if asked.work is None:
        sys.exit("record_students.py: error: give --work, a folder for images, teacher and soft labels")
    known = _known(asked.table)
    students = asked.students or _students(asked.image_size)
    data, teacher, seed = _prepared(asked)
    for row in _rows(asked, students):
        if row not in known:
            _append(asked.table, _trained(asked, row, data, teacher, seed))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, default=Path(__file__).parent / "students.csv")
    parser.add_argument("--work", type=Path, help="folder of images, teacher and soft labels")
    parser.add_argument("--costs-only", action="store_true", help="time the students of the table anew, train none")
    parser.add_argument("--students", nargs="*", help="default: those of four spaces, and scaled ones of five families")
    parser.add_argument("--learning-rates", nargs="+", type=float, default=[5e-4, 2e-3])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--data", choices=["digits", "images"], default="images")
    parser.add_argument("--idx-dir", type=Path, help="IDX files of 28 px images; without it patterns are made")
    parser.add_argument("--train-images", type=int, default=1500)
    parser.add_argument("--val-images", type=int, default=1000)
    parser.add_argument("--test-images", type=int, default=1000)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--teacher", default="resnet18")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _students(image_size: int) -> list[str]:
    """Of the spaces in turn, each from small to large, as far as they work at that size."""
    spaces = [read_space(space).names() for space in SPACES]
    spaces.append([s for model, sizes in SCALED.items() for s in scaled_students(model, *sizes)])
    found: dict[str, None] = {}
    for names in spaces:
        counts = {name: counted(name, 10, image_size) for name in names if name not in found}
        usable = {name: count.parameters for name, count in counts.items() if isinstance(count, Count)}
        found |= dict.fromkeys(sorted((n for n in usable if usable[n] <= LARGEST), key=usable.__getitem__))
    return [*found]


def _prepared(asked: argparse.Namespace) -> tuple[TaskData, SoftLabels, int]:
    """The task, the teacher's soft labels for its views, and the seed of the views."""
    root = asked.work / "images"
    if asked.data != "digits" and not root.exists():
        counts = {"train": asked.train_images, "val": asked.val_images, "test": asked.test_images}
        (idx_folder(root, counts, 28, asked.idx_dir) if asked.idx_dir else pattern_folder(root, counts, 28))
    config = SearchConfig.of(
        teacher=asked.teacher,
        teacher_weights="scratch",
        max_cost=1.0,
        data="digits" if asked.data == "digits" else str(root),
        image_size=asked.image_size,
        epochs=asked.epochs,
        batch_size=asked.batch_size,
        device=asked.device,
        cache_dir=asked.work / "cache",
    )
    prepared = Parts().prepare(config, Silent())
    labels = Parts().soft_labels(prepared, config, Silent(), time.time())
    print(f"teacher {asked.teacher}: {prepared.teacher.test_accuracy:.2%} on test", flush=True)
    data = open_task(prepared.task_folder, asked.device)
    return data, SoftLabels(Path(labels.folder), labels.views, asked.device), views_seed(config)


def _rows(asked: argparse.Namespace, students: Sequence[str]) -> Iterator[Row]:
    for seed in range(asked.seeds):
        for student in students:
            for arm in asked.arms:
                for rate in asked.learning_rates:
                    yield Row(asked.data, student, arm, rate, seed, asked.epochs)
            if seed == 0 and "direct" in asked.arms:
                rate = _usual_rate(student, asked.learning_rates)
                for epochs in sorted({math.ceil(asked.epochs / part) for part in (8, 4, 2)}):
                    yield Row(asked.data, student, "direct", rate, seed, epochs)


def _usual_rate(student: str, rates: Sequence[float]) -> float:
    """The nearest to autokd's default."""
    usual = preset(False, family(base_name(student))).rate
    return min(rates, key=lambda rate: abs(math.log(rate / usual)))


def _known(table: Path) -> set[Row]:
    if not table.exists():
        return set()
    with table.open(encoding="utf-8", newline="") as file:
        return {
            Row(
                data=row["data"],
                student=row["student"],
                arm=row["arm"],  # type: ignore[arg-type]
                learning_rate=float(row["learning_rate"]),
                seed=int(row["seed"]),
                epochs=int(row["epochs"]),
            )
            for row in csv.DictReader(file)
        }


def _trained(asked: argparse.Namespace, row: Row, data: TaskData, teacher: SoftLabels, views: int) -> dict[str, object]:
    """A line of the table: accuracies after every epoch, separated by spaces."""
    torch.manual_seed(row.seed)
    model = build(row.student, len(data.task.classes), asked.image_size)
    told: dict[str, object] = {
        **row._asdict(),
        "family": family(base_name(row.student)),
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": module_macs(model, asked.image_size),
        "serving_ms": _serving_ms({row.student: model}, asked.image_size)[row.student],
    }
    recipe = Recipe(learning_rate=row.learning_rate, epochs=row.epochs, batch_size=asked.batch_size)
    if row.arm == "distill":
        recipe = recipe.model_copy(update={"temperature": TEMPERATURE, "alpha": ALPHA})
    training = Training(
        data=data,
        model=model,
        normalisation=normalisation(model),
        recipe=recipe,
        seed=row.seed,
        views_seed=views,
        device=asked.device,
        teacher=teacher,
    )
    seen: list[tuple[float, float]] = []
    for report in train(training):
        logits = predict(model, data, data.test, training.normalisation, asked.device)
        seen.append((report.val_accuracy, accuracy(logits, data.labels[data.test])))
    print(*row, *seen[-1], flush=True)
    val, test = (" ".join(f"{values[part]:.4f}" for values in seen) for part in (0, 1))
    return {**told, "val_accuracy": val, "test_accuracy": test}


def _serving_ms(models: Mapping[str, nn.Module], image_size: int) -> dict[str, str]:
    """Of the served forms, in CPU time of a batch of 8: median over rounds, in turn, of the fastest of three passes."""
    served = {name: served_form(copy.deepcopy(model), image_size).eval() for name, model in models.items()}
    images, taken = torch.randn(8, 3, image_size, image_size), {name: [] for name in served}
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for name, model in served.items():
                model(images)
                taken[name].append(min(_pass_seconds(model, images) for _ in range(3)))
    return {name: f"{1000 * statistics.median(seconds):.3f}" for name, seconds in taken.items()}


def _pass_seconds(model: nn.Module, images: torch.Tensor) -> float:
    begun = time.process_time()
    model(images)
    return time.process_time() - begun


def _time_all(table: Path, image_size: int) -> None:
    """Write the table again with the milliseconds of now."""
    rows = pd.read_csv(table, dtype=str, keep_default_na=False)
    models = {name: build(name, CLASSES, image_size) for name in rows["student"].unique()}
    rows["serving_ms"] = rows["student"].map(_serving_ms(models, image_size))
    write_text(table, rows.to_csv(index=False))


def _append(table: Path, line: dict[str, object]) -> None:
    fresh = not table.exists()
    with table.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(line)


if __name__ == "__main__":
    main()
