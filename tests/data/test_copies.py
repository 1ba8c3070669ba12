"""Copies of training images among validation and test: many are refused, few are told, none is passed over."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeParts, Hearing
from helpers_images import prepared, settings, write_pattern_folder
from PIL import Image

from autokd.config import SearchConfig
from autokd.data.copies import copies_of_training, copy_remarks
from autokd.data.dataset import Part, Parts
from autokd.data.splits import Splits
from autokd.errors import DataError
from autokd.pipeline.search import run_search
from autokd.pipeline.services import Prepared
from autokd.progress import Listener
from autokd.records import Copies, Task

FEW = Copies(part="test", count=1, images=200, first="test/b/000.bmp", original="train/a/004.png")
REMARK = (
    "1 of 200 test images (0.50 %) are copies of training images (first: test/b/000.bmp, of train/a/004.png); "
    "these can be learnt by heart."
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = {"train": {"a": 60, "b": 60}, "val": {"a": 60, "b": 60}, "test": {"a": 100, "b": 100}}
    return write_pattern_folder(tmp_path_factory.mktemp("images"), parts)


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "images")


def task(folder: Path, **options: object) -> Task:
    return prepared(settings(data=str(folder), **options)).task


def copied(folder: Path, count: int, part: str = "test") -> None:
    """Training images, under other names and in another format, over images of the other class."""
    for number in range(count):
        (folder / part / "b" / f"{number:03}.png").unlink()
        with Image.open(folder / "train" / "a" / f"{number + 4:03}.png") as image:
            image.save(folder / part / "b" / f"{number:03}.bmp")


@pytest.mark.parametrize("options", [{}, {"resident_gb": 1e-9}])
def test_one_of_a_hundred_is_told_and_more_are_refused(folder, options):
    copied(folder, 1)
    assert task(folder, **options).copies == (FEW,)
    assert task(folder, **options).copies == (FEW,), "from the cache"
    copied(folder, 1, "val")
    assert [copies.part for copies in task(folder, **options).copies] == ["validation", "test"]
    for number in (1, 2):
        shutil.copy(folder / "train" / "a" / "000.png", folder / "test" / "b" / f"x{number}.png")
    with pytest.raises(DataError) as caught:
        task(folder, **options)
    assert str(caught.value) == (
        f"3 of 202 test images (1.49 %) are copies of training images of {folder} (first: test/b/000.bmp, of "
        "train/a/004.png); remove them from one of the two parts (at most 1 % may be copies)"
    )


def test_so_are_copies_for_validation(folder):
    copied(folder, 2, "val")
    with pytest.raises(DataError, match=r"^2 of 120 validation images \(1\.67 %\) are copies of .* of the two parts"):
        task(folder)


def test_of_a_folder_with_every_picture_three_times_no_copy_lies_on_both_sides(tmp_path):
    root = write_pattern_folder(tmp_path / "images", {"": {"a": 100, "b": 100}})
    for path in sorted([*(root / "a").iterdir(), *(root / "b").iterdir()]):
        for again in ("again", "and-again"):
            shutil.copy(path, path.with_name(f"{again}-{path.name}"))
    data = prepared(settings(data=str(root)))
    assert data.task.copies == ()
    assert (data.task.train, data.task.val, data.task.test) == (360, 90, 150)
    seen = [{image.tobytes() for image in data.images.take(part).numpy()} for part in (data.train, data.val, data.test)]
    assert [len(images) for images in seen] == [120, 30, 50]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_ordinary_data_have_none(original):
    assert task(original).copies == ()
    digits = prepared(settings()).task
    assert digits.copies == () and copy_remarks(digits) == []


def test_it_takes_a_moment_for_a_hundred_thousand_images():
    hashes = np.random.default_rng(0).integers(0, 256, (100_000, 32), dtype=np.uint8)
    hashes[99_999] = hashes[3]
    everything = np.arange(100_000)
    labels = np.zeros(100_000, dtype=np.int64)
    splits = Splits(labels, everything[:80_000], everything[80_000:90_000], everything[90_000:], "", True)
    part = Part([], labels, lambda _: Image.new("L", (1, 1)))
    start = time.monotonic()
    found = copies_of_training(splits, Parts("x", (), part, None, part, None), hashes.tobytes(), str)
    assert time.monotonic() - start < 1
    assert found == (Copies(part="test", count=1, images=10_000, first="99999", original="3"),)


class CopiedParts(FakeParts):
    """Fakes whose test part holds one copy."""

    def prepare(self, config: SearchConfig, listener: Listener) -> Prepared:
        made = super().prepare(config, listener)
        return dataclasses.replace(made, task=made.task.model_copy(update={"copies": (FEW,)}))


def test_the_log_and_the_report_tell_of_few_copies(settings: SearchConfig, tmp_path: Path) -> None:
    heard = Hearing()
    result = run_search(settings, output=tmp_path / "run", listener=heard, parts=CopiedParts())
    assert REMARK in heard.notes
    assert [note.text for note in result.report.search.remarks if note.kind == "copies"] == [REMARK]
    assert "these can be learnt by heart" in (tmp_path / "run" / "report.html").read_text()
