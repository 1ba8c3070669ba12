"""autokd's training loop against the bare step: how many samples per second are left of what the hardware gives.

The loop cuts batches, makes views, follows a schedule, clips gradients and (distilling) reads stored soft labels; the
bare step is forward, backward and optimizer on one batch that lies ready. Promise: 0.90 or more.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from bare import BareStep
from made import pattern_task, untrained_teacher
from timing import about, interleave, ratio, spread, table
from torch import nn
from torch.profiler import ProfilerActivity, profile

from autokd.data.task import TaskData
from autokd.progress import Silent
from autokd.records import EpochReport, Recipe
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import write_soft_labels
from autokd.training.loop import Training, train
from autokd.zoo.build import build, normalisation

VIEWS_SEED = 7
ARMS = {"direct": 0.0, "distill": 0.9}  # alpha
WARM_UP = 1


@dataclass(frozen=True)
class Case:
    """One model at one image size."""

    model: str
    data: TaskData
    labels: SoftLabels
    epochs: int
    batch_size: int
    device: str

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self.data.train) // self.batch_size

    def build(self) -> nn.Module:
        """The model, always with the same weights."""
        torch.manual_seed(0)
        return build(self.model, len(self.data.task.classes), self.data.task.transform.image_size)

    def epochs_of(self, arm: str) -> Iterator[EpochReport]:
        """The loop, epoch by epoch."""
        model, alpha = self.build(), ARMS[arm]
        recipe = Recipe(
            learning_rate=1e-3, temperature=4.0, alpha=alpha, epochs=self.epochs, batch_size=self.batch_size
        )
        training = Training(
            data=self.data,
            model=model,
            normalisation=normalisation(model),
            recipe=recipe,
            seed=0,
            views_seed=VIEWS_SEED,
            device=self.device,
            teacher=self.labels if alpha else None,
        )
        return train(training)

    def bare_step(self) -> BareStep:
        """The step that the loop is compared with."""
        task = self.data.task
        return BareStep(self.build(), len(task.classes), task.transform.image_size, self.batch_size, self.device)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every model at every size and print the table."""
    asked = _parse(arguments)
    rows = []
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as folder:
            for model in asked.models:
                case = _case(asked, model, size, Path(folder))
                rows += _measured(case, asked.rounds)
                if asked.profile:
                    _print_profile(case)
    print(about(asked.device))
    print(f"{asked.rounds} rounds of {asked.steps} steps, batch {asked.batch_size}, medians\n")
    print(table(rows))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["mobilenetv3_small_100", "resnet10t", "vit_tiny_patch16_224"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[32], help="pixels a side")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50, help="steps of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--profile", action="store_true", help="print where the loop spends its time")
    return parser.parse_args(arguments)


def _case(asked: argparse.Namespace, model: str, size: int, cache_dir: Path) -> Case:
    """Validation is one image, so that the loop's epochs are training and next to nothing else."""
    wanted, epochs = asked.steps * asked.batch_size, WARM_UP + asked.rounds
    data = pattern_task(wanted, 10, size, cache_dir, asked.device)
    teacher = untrained_teacher("test_resnet", data, asked.device)
    made = write_soft_labels(teacher, data, epochs, VIEWS_SEED, cache_dir, asked.device, Silent())
    if made.views < epochs:
        raise SystemExit(f"{cache_dir} is too small a disk for the soft labels of {epochs} views")
    labels = SoftLabels(Path(made.folder), made.views, asked.device)
    short = replace(data, train=data.train[:wanted], val=data.val[:1])
    return Case(model, short, labels, epochs, asked.batch_size, asked.device)


def _measured(case: Case, rounds: int) -> list[dict[str, object]]:
    bare = case.bare_step()
    loops = {arm: case.epochs_of(arm) for arm in ARMS}
    seconds = interleave(
        {
            "bare": lambda: bare.run(case.steps),
            "direct": lambda: next(loops["direct"]),
            "distill": lambda: next(loops["distill"]),
        },
        rounds,
        case.device,
        WARM_UP,
    )
    return [
        {
            "model": case.model,
            "pixels": case.data.task.transform.image_size,
            "arm": arm,
            "loop / bare": ratio(seconds["bare"], seconds[arm]),
            "middle half": spread(seconds["bare"], seconds[arm]),
        }
        for arm in ARMS
    ]


def _print_profile(case: Case) -> None:
    """The second epoch of the distill arm: once by operations, once by Python functions."""
    epochs = case.epochs_of("distill")
    next(epochs)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if case.device.startswith("cuda") else [])]
    with profile(activities=activities) as operations:
        next(epochs)
    by = "self_device_time_total" if case.device.startswith("cuda") else "self_cpu_time_total"
    print(f"{case.model} at {case.data.task.transform.image_size} px, {case.steps} steps")
    print(operations.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=60))
    epochs = case.epochs_of("distill")
    next(epochs)
    functions = cProfile.Profile()
    functions.runcall(next, epochs)
    pstats.Stats(functions).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    main()
