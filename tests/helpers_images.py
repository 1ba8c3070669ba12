"""Pictures, folders and tasks made up for tests; everything is a function of its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Task, Transform

TEACHER_INPUT = 160


def settings(**options) -> SearchConfig:
    """Settings of a search whose cache is the test's own."""
    return SearchConfig.of(**{"teacher": "test_resnet", "max_cost": 1.0, **options})


def pattern(label: int, number: int, size: int = 32, noise: int = 40) -> np.ndarray:
    """uint8 [size, size, 3]: a bright block whose place and colour tell the class, under noise of its own."""
    generator = np.random.default_rng([label, number])
    picture = generator.integers(0, noise, (size, size, 3))
    half = size // 2
    top, left = divmod(label % 4, 2)
    picture[top * half : (top + 1) * half, left * half : (left + 1) * half, label % 3] += 200
    return picture.clip(0, 255).astype(np.uint8)


def plain(colour: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    """One colour all over, another for every number up to 2^21; survives neither JPEG nor resizing at borders."""
    return Image.new("RGB", size, (colour % 128 * 2, colour // 128 % 128 * 2, colour // 16_384 * 2))


def write_pattern_folder(root: Path, parts: Mapping[str, Mapping[str, int]], suffix: str = ".png") -> Path:
    """`parts`: part -> class -> number of images; a part called "" puts the class folders right below `root`."""
    for start, (part, classes) in enumerate(parts.items()):
        for label, (name, count) in enumerate(sorted(classes.items())):
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                Image.fromarray(pattern(label, 1000 * start + number)).save(folder / f"{number:03}{suffix}")
    return root


def prepared(config: SearchConfig, pair=None) -> TaskData:
    """The task of these settings, opened on the CPU."""
    return open_task(prepare_task(config, TEACHER_INPUT, Silent(), pair))


class InMemory:
    """An ImageStore over a tensor."""

    def __init__(self, images: Tensor) -> None:
        self._images, self.size, self.shapes = images, images.shape[-1], None

    def take(self, indices):
        """See ImageStore."""
        return self._images[torch.from_numpy(indices)]

    def batches(self, groups):
        """See ImageStore."""
        return map(self.take, groups)


def small_task(classes: int = 3, train: int = 60, held_out: int = 30, flip: bool = True, noise: int = 40) -> TaskData:
    """A task of patterns at 32 pixels that never touches the disk; images and labels take turns by class."""
    total = train + 2 * held_out
    labels = np.arange(total, dtype=np.int64) % classes
    pictures = np.stack([pattern(label, i, noise=noise).transpose(2, 0, 1) for i, label in enumerate(labels)])
    task = Task(
        data="patterns",
        fingerprint=f"patterns-{classes}-{train}-{held_out}-{flip}-{noise}",
        classes=tuple(f"class {i}" for i in range(classes)),
        train=train,
        val=held_out,
        test=held_out,
        transform=Transform(image_size=32, crop="padded", flip=flip),
        split_note="",
        test_is_separate=True,
    )
    edges = np.cumsum([0, train, held_out, held_out])
    parts = [np.arange(a, b) for a, b in pairwise(edges)]
    return TaskData(task, Path("nowhere"), InMemory(torch.from_numpy(pictures)), labels, *parts)


@contextmanager
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from more, and beside other work the threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Recorder(Silent):
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[str, int, int]] = []

    def note(self, text: str) -> None:
        """Keep."""
        self.notes.append(text)

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """Keep."""
        self.steps.append((what, done, total))
