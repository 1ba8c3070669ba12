"""A whole search by autokd against the script that a good user would write: Optuna and timm.task with a live teacher.

Same teacher weights, images, students, ranges, number of distilled trials, epochs, batch size and precision; each side
runs as a process of its own, from start to end. autokd's time includes decoding and soft labels. Promise: 3 times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from made import idx_folder, pattern_folder
from safetensors.torch import save_file
from timing import about, ratio, table

from autokd.config import SearchConfig
from autokd.data.task import open_task, prepare_task
from autokd.precision import precision_of
from autokd.progress import Silent
from autokd.teacher.prepare import prepare_teacher

HERE = Path(__file__).parent
FASHION = Path("/usr/share/datasets/fashion-mnist")
Result = dict[str, Any]  # what a side prints, with its process's `wall` seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Run both sides in turn and print the tables."""
    asked = _parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        data = asked.data or _folder(asked, work / "data")
        weights = asked.teacher_weights or _trained(asked, data, work)
        own: list[Result] = []
        peer: list[Result] = []
        for number in range(asked.rounds):
            common = _common(asked, data, weights, seed=asked.seed + number)
            own.append(_run_own(asked, common, work / f"own-{number}"))
            peer.append(_run_peer(asked, common, own[-1], work / f"proposals-{number}.json"))
    _check(own + peer)
    print(about(asked.device))
    print(f"teacher {asked.teacher}, {own[0]['train_images']} images, {asked.image_size} px, batch {asked.batch_size}")
    print(f"{asked.trials} trials of {asked.epochs} epochs, {asked.rounds} rounds, medians\n")
    print(table([_row("autokd", own), _row("Optuna + timm.task", peer)]) + "\n")
    print(table(_ratios(own, peer)))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="an image folder with train/, val/ and test/; default: made here")
    parser.add_argument("--idx-dir", type=Path, help=f"make it of IDX files, e.g. {FASHION}; default: of patterns")
    parser.add_argument("--train-images", type=int, default=5100)
    parser.add_argument("--val-images", type=int, default=900)
    parser.add_argument("--test-images", type=int, default=200, help="autokd's teacher is checked on them")
    parser.add_argument("--teacher", default="resnet152")
    parser.add_argument("--teacher-weights", type=Path, help="safetensors; default: trained here before the clock runs")
    parser.add_argument("--teacher-epochs", type=int, default=3, help="where the teacher is trained here")
    parser.add_argument("--cache-dir", type=Path, help="where a trained teacher is kept for the next run")
    parser.add_argument("--students", nargs="*", default=[], help="default: those of the space `default` that fit")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first round; every round has its own")
    parser.add_argument("--no-pruning", action="store_true", help="on both sides")
    parser.add_argument("--pruner", choices=("median", "halving"), default="median", help="of the peer")
    parser.add_argument("--same-proposals", action="store_true", help="the peer trains what autokd has proposed")
    parser.add_argument("--workers", type=int, help="loader processes of the peer; default: a core each, at most 8")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args(arguments)


def _folder(asked: argparse.Namespace, root: Path) -> Path:
    counts = {"train": asked.train_images, "val": asked.val_images, "test": asked.test_images}
    if asked.idx_dir:
        return idx_folder(root, counts, asked.image_size, asked.idx_dir)
    return pattern_folder(root, counts, asked.image_size)


def _trained(asked: argparse.Namespace, data: Path, work: Path) -> Path:
    """A teacher for both sides; its training belongs to neither."""
    config = SearchConfig.of(
        teacher=asked.teacher,
        max_cost=1.0,
        data=str(data),
        image_size=asked.image_size,
        batch_size=asked.batch_size,
        teacher_weights="scratch",
        teacher_epochs=asked.teacher_epochs,
        cache_dir=asked.cache_dir or work / "teacher",
    )
    task = open_task(prepare_task(config, asked.image_size, Silent()), asked.device)
    teacher = prepare_teacher(config, task, asked.device, Silent())
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in teacher.model.state_dict().items()}
    save_file(state, work / "teacher.safetensors")
    print(f"teacher: {teacher.record.val_accuracy:.1%} on validation")
    return work / "teacher.safetensors"


# ---- the sides -------------------------------------------------------------------------------------------------


def _common(asked: argparse.Namespace, data: Path, weights: Path, seed: int) -> list[str]:
    options = {
        "data": data.absolute(),
        "teacher": asked.teacher,
        "teacher-weights": weights.absolute(),
        "trials": asked.trials,
        "epochs": asked.epochs,
        "batch-size": asked.batch_size,
        "image-size": asked.image_size,
        "seed": seed,
        "device": asked.device,
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def _run_own(asked: argparse.Namespace, common: list[str], work: Path) -> Result:
    own = ["--work", str(work), *(["--no-pruning"] if asked.no_pruning else [])]
    students = ["--students", *asked.students] if asked.students else []
    return _run("own_search.py", [*common, *own, *students])


def _run_peer(asked: argparse.Namespace, common: list[str], own: Result, proposals: Path) -> Result:
    words = ["--students", *own["students"], "--pruner", "none" if asked.no_pruning else asked.pruner]
    if precision_of(asked.device) == "bf16":
        words.append("--bf16")
    if asked.workers is not None:
        words += ["--workers", str(asked.workers)]
    if asked.same_proposals:
        proposals.write_text(json.dumps(own["proposals"]))
        words += ["--enqueue", str(proposals)]
    return _run("peer_script.py", [*common, *words])


def _run(script: str, words: list[str]) -> Result:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, str(HERE / script), *words], stdout=subprocess.PIPE, text=True, check=True)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return {**result, "wall": time.perf_counter() - start}


def _check(results: list[Result]) -> None:
    if len({result["train_images"] for result in results}) > 1:
        raise SystemExit("the sides trained on different numbers of images; give a folder with train/, val/ and test/")


# ---- the tables ------------------------------------------------------------------------------------------------


def _row(side: str, results: list[Result]) -> dict[str, object]:
    def median(value: str) -> float:
        return float(np.median([result[value] for result in results]))

    staged = "search" in results[0]
    return {
        "side": side,
        "wall s": median("wall"),
        "of which soft labels s": median("soft_labels") if staged else "-",
        "search s": median("search") if staged else "-",
        "start and preparation s": median("wall") - median("soft_labels") - median("search") if staged else "-",
        "trials": f"{median('trials'):.0f}",
        "pruned": f"{median('pruned'):g}",
        "images trained": f"{median('images'):.0f}",
        "ms an image": 1000 * float(np.median([result["wall"] / result["images"] for result in results])),
        "best validation accuracy": median("best"),
    }


def _ratios(own: list[Result], peer: list[Result]) -> list[dict[str, object]]:
    """How many times longer the peer takes."""

    def each(results: list[Result], value: str) -> list[float]:
        return [float(result[value]) for result in results]

    def an_image(results: list[Result], value: str) -> list[float]:
        return [float(result[value]) / float(result["images"]) for result in results]

    return [
        {"ratio": "wall time, peer / autokd", "value": ratio(each(peer, "wall"), each(own, "wall"))},
        {"ratio": "wall time an image, peer / autokd", "value": ratio(an_image(peer, "wall"), an_image(own, "wall"))},
        {
            "ratio": "time an image, peer / autokd's search without soft labels",
            "value": ratio(an_image(peer, "seconds"), an_image(own, "search")),
        },
    ]


if __name__ == "__main__":
    main()
