"""Which learning rate fine-tuning needs: test accuracy by the body's rate and the head's factor, from given weights.

Every case starts from the same weights (a file, as --student-weights takes it) and trains on the same images by the
preset of fine-tuning, apart from rate and factor.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from made import idx_folder, pattern_folder
from timing import about, table

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Recipe
from autokd.training import step
from autokd.training.evaluate import accuracy, predict
from autokd.training.loop import Training, train
from autokd.training.presets import FINE_TUNING
from autokd.weights.published import start_from
from autokd.weights.start import Supply, weights_path
from autokd.zoo.build import build, normalisation


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every case and print the table."""
    asked = _parse(arguments)
    print(about(asked.device))
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        data = _task(asked, _folder(asked, Path(folder) / "images"), cache)
        supply = Supply(str(asked.weights) if asked.weights else "scratch")
        start = weights_path(cache, supply.fetch(asked.student, data.task, cache)) if asked.weights else None
        print(f"{asked.student} at {asked.image_size} px, {len(data.train)} training and {len(data.test)} test images")
        print(f"{asked.epochs} epochs, batch {asked.batch_size}, {asked.seeds} seeds\n")
        rows = [_row(asked, data, start, rate, factor) for factor in asked.factors for rate in asked.rates]
        print("\n" + table(rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--student", default="tf_efficientnet_lite0")
    parser.add_argument("--weights", type=Path, help="folder with a file named after the student; else random weights")
    parser.add_argument("--rates", type=float, nargs="+", default=[3e-5, 1e-4, 2e-4, 3e-4, 1e-3, 3e-3])
    parser.add_argument("--factors", type=float, nargs="+", default=[FINE_TUNING.head_factor])
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


def _row(
    asked: argparse.Namespace, data: TaskData, start: Path | None, rate: float, factor: float
) -> dict[str, object]:
    found = [_accuracy(asked, data, start, rate, factor, seed) for seed in range(1, asked.seeds + 1)]
    print(f"rate {rate:g}, head factor {factor:g}: {', '.join(f'{each:.4f}' for each in found)}", flush=True)
    return {"rate": rate, "head factor": factor, "test accuracy": f"{np.mean(found):.4f}"}


def _accuracy(
    asked: argparse.Namespace, data: TaskData, start: Path | None, rate: float, factor: float, seed: int
) -> float:
    torch.manual_seed(seed)
    model = build(asked.student, len(data.task.classes), asked.image_size)
    if start is not None:
        start_from(model, start)
    training = Training(
        data=data,
        model=model,
        normalisation=normalisation(model),
        recipe=Recipe(learning_rate=rate, fine_tuning=True, epochs=asked.epochs, batch_size=asked.batch_size),
        seed=seed,
        views_seed=0,
        device=asked.device,
    )
    with mock.patch.object(step, "preset", lambda _: FINE_TUNING._replace(head_factor=factor)):
        for _ in train(training):
            pass
    logits = predict(training.model, data, data.test, training.normalisation, asked.device)
    return accuracy(logits, data.labels[data.test])


if __name__ == "__main__":
    main()
