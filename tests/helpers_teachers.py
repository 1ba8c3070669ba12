"""Teachers for tests, and the child process that writes soft labels beside its parent."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from helpers_images import small_task
from torch import Tensor, nn

import autokd.soft_labels.format
from autokd.data.task import TaskData
from autokd.progress import Silent
from autokd.records import SoftLabelSet, Teacher
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import ReadyTeacher
from autokd.teacher.trained_here import normalisation_of
from autokd.weights.loading import weights_fingerprint
from autokd.zoo.build import build

VIEWS_SEED = 11


class Oracle(nn.Module):
    """Knows the patterns of helpers_images: the class is where the bright block is. `order` renames its answers."""

    def __init__(self, order: tuple[int, ...] = (0, 1, 2)) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.order = list(order)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [n, 3]."""
        half = images.shape[-1] // 2
        corners = images[:, 0, :half, :half], images[:, 1, :half, half:], images[:, 2, half:, :half]
        return self.scale * torch.stack([corner.mean((1, 2)) for corner in corners], 1)[:, self.order]


def ready(model: nn.Module, name: str = "test_resnet") -> ReadyTeacher:
    """A teacher that nobody has verified, for what comes after the verification."""
    record = Teacher(
        name=name,
        weights="made up",
        fingerprint=weights_fingerprint(model),
        parameters=sum(p.numel() for p in model.parameters()),
        macs=1,
        val_accuracy=1.0,
        test_accuracy=1.0,
        temperature=1.0,
        seconds=0.0,
        own_weights=False,
    )
    return ReadyTeacher(model.eval(), normalisation_of(model), record, torch.zeros(1, 3), torch.zeros(1, 3))


def tiny_teacher(seed: int = 0) -> ReadyTeacher:
    """An untrained test_resnet with logits of some size, a function of the seed."""
    torch.manual_seed(seed)
    model = build("test_resnet", 3, 32)
    nn.init.normal_(model.get_classifier().weight, std=1.0)
    return ready(model.requires_grad_(False))


def soft_labels(cache: Path, views: int, teacher: ReadyTeacher | None = None, data: TaskData | None = None, **options):
    """Write soft labels of the small task; options: listener, views_seed, and write_soft_labels' own."""
    return write_soft_labels(
        teacher or tiny_teacher(),
        data or small_task(),
        views,
        options.get("views_seed", VIEWS_SEED),
        cache,
        "cpu",
        options.get("listener", Silent()),
        **{name: option for name, option in options.items() if name not in {"listener", "views_seed"}},
    )


class Printing(Silent):
    """Prints what it is told."""

    def note(self, text: str) -> None:
        """One line."""
        print(text, flush=True)


def main(cache: str, views: str, batch: str, chunk_batches: str) -> None:
    """Write soft labels in a process of its own and print what came of it."""
    torch.set_num_threads(1)
    autokd.soft_labels.format.BATCH = int(batch)
    autokd.soft_labels.format.CHUNK_BATCHES = int(chunk_batches)
    print("started", flush=True)
    made: SoftLabelSet = soft_labels(Path(cache), int(views), listener=Printing())
    print(made.model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
