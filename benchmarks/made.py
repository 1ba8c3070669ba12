"""Data and teachers made for benchmarks: pictures that can be learnt, tasks and image folders of them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from autokd.config import SearchConfig
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.progress import Silent
from autokd.records import Teacher
from autokd.teacher.prepare import ReadyTeacher
from autokd.teacher.trained_here import normalisation_of
from autokd.weights.loading import weights_fingerprint
from autokd.zoo.build import build

Pixels = npt.NDArray[np.uint8]


def pattern(label: int, number: int, size: int) -> Pixels:
    """uint8 [size, size, 3]: a faint stripe pattern whose direction and width tell the class, under strong noise."""
    generator = np.random.default_rng([label, number])
    angle, waves = np.pi * (label % 5) / 5, 2 + 2 * (label // 5)
    rows, columns = np.mgrid[0:size, 0:size] / size
    phase = generator.uniform(0, 2 * np.pi)
    stripes = np.sin(2 * np.pi * waves * (np.cos(angle) * columns + np.sin(angle) * rows) + phase)
    picture = 128 + 40 * stripes[..., None] + generator.normal(0, 45, (size, size, 3))
    pixels: Pixels = picture.clip(0, 255).astype(np.uint8)
    return pixels


class Patterns:
    """A map-style data set of `count` patterns, classes in turn."""

    def __init__(self, count: int, classes: int, size: int, first: int = 0) -> None:
        self.targets = [number % classes for number in range(count)]
        self.classes = [f"class {label}" for label in range(classes)]
        self._size, self._first = size, first

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Pixels, int]:
        return pattern(self.targets[index], self._first + index, self._size), self.targets[index]


def pattern_task(train: int, classes: int, size: int, cache_dir: Path, device: str) -> TaskData:
    """A task of at least `train` training images, decoded and resident."""
    shipped = Patterns(round(train / 0.8) + 20 * classes, classes, size), Patterns(100, classes, size, first=10_000_000)
    config = SearchConfig.of(teacher="resnet152", max_cost=1.0, image_size=size, flip=True, cache_dir=cache_dir)
    return open_task(prepare_task(config, size, Silent(), shipped), device)


def untrained_teacher(name: str, data: TaskData, device: str) -> ReadyTeacher:
    """A teacher with random weights: its answers are worth nothing and take as long as any."""
    size, classes = data.task.transform.image_size, len(data.task.classes)
    torch.manual_seed(0)
    model = build(name, classes, size).to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    record = Teacher(
        name=name,
        weights="random",
        fingerprint=weights_fingerprint(model),
        parameters=sum(p.numel() for p in model.parameters()),
        macs=0,
        val_accuracy=0.0,
        test_accuracy=0.0,
        temperature=1.0,
        seconds=0.0,
        own_weights=False,
    )
    return ReadyTeacher(model, normalisation_of(model), record, torch.zeros(1, classes), torch.zeros(1, classes))


# ---- image folders ---------------------------------------------------------------------------------------------


def pattern_folder(root: Path, counts: Mapping[str, int], size: int, classes: int = 10) -> Path:
    """Patterns as PNG files, `counts` images in each part, e.g. {"train": 5100, "val": 900, "test": 200}."""
    first = 0
    for part, count in counts.items():
        _write(root / part, ((pattern(i % classes, first + i, size), i % classes) for i in range(count)))
        first += count
    return root


def idx_folder(root: Path, counts: Mapping[str, int], size: int, idx_dir: Path) -> Path:
    """The first images of IDX files (MNIST's format, gzipped) as RGB PNG files of `size` pixels."""
    start = 0
    for part, count in counts.items():
        prefix, begin = ("t10k", 0) if part == "test" else ("train", start)
        images = read_idx(idx_dir / f"{prefix}-images-idx3-ubyte.gz")[begin : begin + count]
        labels = read_idx(idx_dir / f"{prefix}-labels-idx1-ubyte.gz")[begin : begin + count]
        _write(root / part, zip((_resized(image, size) for image in images), map(int, labels), strict=True))
        start += count if part != "test" else 0
    return root


def read_idx(path: Path) -> Pixels:
    """An array of unsigned bytes in IDX format."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _resized(image: Pixels, size: int) -> Pixels:
    return np.asarray(Image.fromarray(image).convert("RGB").resize((size, size), Image.Resampling.BICUBIC))


def _write(folder: Path, pictures: Iterable[tuple[Pixels, int]]) -> None:
    for number, (picture, label) in enumerate(pictures):
        path = folder / str(label) / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
