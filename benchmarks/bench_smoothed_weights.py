"""How well a look at a training on its way ranks students: by its weights, and by their average over the latest steps.

Every student is trained to the end on the embedded digits, directly, by the default recipe. After each epoch both are
evaluated on validation and test images together. The ranks after an epoch are compared with those at the end
(Spearman), for all students and for the better half, which a screening has to tell apart.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from timing import about, table

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.pipeline.services import views_seed
from autokd.progress import Silent
from autokd.records import Recipe
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.files import read_space
from autokd.zoo.build import build, normalisation

STUDENTS = (
    *("efficientvit_m2", "hgnetv2_b0", "shvit_s1", "resnet10t", "gernet_s", "swiftformer_xs", "efficientformerv2_s0"),
    *("resnet18", "fastvit_t8", "repvit_m0_9", "cs3darknet_m", "mambaout_femto", "pit_ti_224", "vit_tiny_patch16_224"),
)
Curve = list[tuple[float, float]]  # accuracy of the weights and of their average, after every epoch


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Train and print."""
    asked = _parse(arguments)
    with tempfile.TemporaryDirectory() as cache:
        config = SearchConfig.of(
            teacher="resnet18",
            max_cost=1.0,
            image_size=asked.image_size,
            epochs=asked.epochs,
            batch_size=asked.batch_size,
            device=asked.device,
            cache_dir=Path(cache),
        )
        data = open_task(prepare_task(config, asked.image_size, Silent()), asked.device)
        curves = {student: _curve(student, data, config) for student in asked.students}
    rows = [_row(epoch, curves) for epoch in range(asked.epochs - 1)]
    print(about(asked.device))
    print(
        f"{len(curves)} students, {asked.epochs} epochs, batch {asked.batch_size}, {len(data.train)} training images\n"
    )
    print(table(rows))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", nargs="+", default=STUDENTS, help="two or more")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _curve(student: str, data: TaskData, config: SearchConfig) -> Curve:
    torch.manual_seed(config.seed)
    model = build(student, len(data.task.classes), data.task.transform.image_size)
    assert config.epochs and config.batch_size and config.device
    fields = default_recipe(read_space(config.space), "direct", False)
    training = Training(
        data=_all_of(data),
        model=model,
        normalisation=normalisation(model),
        recipe=Recipe(epochs=config.epochs, batch_size=config.batch_size, **fields),
        seed=config.seed,
        views_seed=views_seed(config),
        device=config.device,
        smoothed=True,
    )
    curve = []
    for report in train(training):
        logits = predict(model, data, training.data.val, training.normalisation, config.device)
        curve.append((accuracy(logits, data.labels[training.data.val]), report.val_accuracy))
        print(student, report.epoch, *(f"{value:.4f}" for value in curve[-1]), flush=True)
    return curve


def _all_of(data: TaskData) -> TaskData:
    """With the test images among those of validation: more of them tell more."""
    return replace(data, val=np.concatenate([data.val, data.test]))


def _row(epoch: int, curves: dict[str, Curve]) -> dict[str, object]:
    better = sorted(curves, key=lambda student: -curves[student][-1][0])[: max(2, len(curves) // 2)]
    row: dict[str, object] = {"after epoch": epoch + 1}
    for who, students in (("all", list(curves)), ("better half", better)):
        ends = [curves[student][-1][0] for student in students]
        for place, name in enumerate(("weights", "average")):
            seen = [curves[student][epoch][place] for student in students]
            row[f"{who}, {name}"] = f"{spearmanr(seen, ends).statistic:.2f}"
    return row


if __name__ == "__main__":
    main()
