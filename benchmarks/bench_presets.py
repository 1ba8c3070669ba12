"""What a preset's settings do to test accuracy: one student, many ways to train it, from given or random weights.

A case is a list of settings, such as "learning_rate=1e-3 ema=0.99 erase=0.25": fields of the recipe, `erase` and
`trivial_augment` of the views, and `head_factor` of fine-tuning. What a case does not name is as in the preset, so
that the case "" is the preset itself.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from made import idx_folder, pattern_folder
from timing import about, table

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Recipe, Transform
from autokd.training import step
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.training.presets import preset
from autokd.weights.published import start_from
from autokd.weights.start import Supply, weights_path
from autokd.zoo.build import build, normalisation

RATES = [f"learning_rate={rate}" for rate in ("3e-5", "1e-4", "2e-4", "3e-4", "1e-3", "3e-3")]


@dataclass(frozen=True)
class Case:
    """Settings of the recipe, of the views, and the head's factor, where they are not the preset's."""

    name: str
    recipe: Mapping[str, Any]
    views: Mapping[str, Any]
    head_factor: float | None

    @classmethod
    def of(cls, text: str) -> Case:
        """Raises SystemExit for a setting that neither recipe nor views have."""
        given: dict[str, Any] = dict(each.partition("=")[::2] for each in text.split())
        head_factor = given.pop("head_factor", None)
        recipe = {name: given.pop(name) for name in list(given) if name in Recipe.model_fields}
        if unknown := set(given) - set(Transform.model_fields):
            raise SystemExit(f"{min(unknown)} is no setting; give those of Recipe and Transform, or head_factor")
        return cls(text or "the preset", recipe, given, float(head_factor) if head_factor else None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every case and print the table."""
    asked = _parse(arguments)
    print(about(asked.device))
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        data = _task(asked, _folder(asked, Path(folder) / "images"), cache)
        print(f"{len(data.train)} training and {len(data.test)} test images at {asked.image_size} px")
        print(f"{asked.epochs} epochs, batch {asked.batch_size}, {asked.seeds} seeds\n")
        rows = []
        for student in asked.students:
            supply = Supply(str(asked.weights) if asked.weights else "scratch")
            start = weights_path(cache, supply.fetch(student, data.task, cache)) if asked.weights else None
            rows += [_row(asked, data, student, start, Case.of(text)) for text in asked.cases]
        print("\n" + table(rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", nargs="+", default=["tf_efficientnet_lite0"])
    parser.add_argument("--weights", type=Path, help="folder with files named after the students; else random weights")
    parser.add_argument("--cases", nargs="+", default=RATES)
    parser.add_argument("--idx-dir", type=Path, help="IDX files of 28 px images; without it patterns are made")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--train-images", type=int, default=2000)
    parser.add_argument("--test-images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _folder(asked: argparse.Namespace, root: Path) -> Path:
    counts = {"train": asked.train_images, "val": 100, "test": asked.test_images}
    return idx_folder(root, counts, 28, asked.idx_dir) if asked.idx_dir else pattern_folder(root, counts, 28)


def _task(asked: argparse.Namespace, data: Path, cache: Path) -> TaskData:
    config = SearchConfig.of(
        teacher="resnet152", max_cost=1.0, data=str(data), image_size=asked.image_size, cache_dir=cache
    )
    return open_task(prepare_task(config, asked.image_size, Silent()), asked.device)


def _row(asked: argparse.Namespace, data: TaskData, student: str, start: Path | None, case: Case) -> dict[str, object]:
    found = [_accuracy(asked, data, student, start, case, seed) for seed in range(1, asked.seeds + 1)]
    print(f"{student}, {case.name}: {', '.join(f'{each:.4f}' for each in found)}", flush=True)
    return {"student": student, "case": case.name, "test accuracy": f"{np.mean(found):.4f}"}


def _accuracy(
    asked: argparse.Namespace, data: TaskData, student: str, start: Path | None, case: Case, seed: int
) -> float:
    fine_tuning = start is not None
    usual = preset(fine_tuning)
    transform = Transform.model_validate({**data.task.transform.model_dump(), **case.views}, strict=False)
    recipe = {"learning_rate": usual.rate, "epochs": asked.epochs, "batch_size": asked.batch_size, **case.recipe}
    torch.manual_seed(seed)
    model = build(student, len(data.task.classes), asked.image_size, drop_path=float(recipe.get("drop_path", 0)))
    if start is not None:
        start_from(model, start)
    training = Training(
        data=replace(data, task=data.task.model_copy(update={"transform": transform})),
        model=model,
        normalisation=normalisation(model),
        recipe=Recipe.model_validate({**recipe, "fine_tuning": fine_tuning}, strict=False),
        seed=seed,
        views_seed=0,
        device=asked.device,
    )
    changed = usual if case.head_factor is None else usual._replace(head_factor=case.head_factor)
    with mock.patch.object(step, "preset", lambda _: changed):
        for _ in train(training):
            pass
    logits = predict(training.model, data, data.test, training.normalisation, asked.device)
    return accuracy(logits, data.labels[data.test])


if __name__ == "__main__":
    main()
