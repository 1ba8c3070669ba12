"""Images that are replaced while a search reads them again and again: it ends, and is never trained on them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeParts, Hearing
from helpers_images import pattern, prepared, settings, write_pattern_folder
from PIL import Image

from autokd.config import SearchConfig
from autokd.data.streaming import StreamedImages
from autokd.data.task import TaskData
from autokd.errors import ChangedData
from autokd.pipeline.search import run_search
from autokd.records import EpochReport
from autokd.runs.folder import Run
from autokd.runs.manifest import Manifest
from autokd.testing.fake_engine import FakeWorkshop
from autokd.tune.engines.local import LocalEngine
from autokd.tune.engines.protocol import Engine, Job, Outcome


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pattern_folder(tmp_path_factory.mktemp("images"), {"": {"a": 100, "b": 100}})


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "images")


def streamed(folder: Path, workers: int = 0) -> TaskData:
    data = prepared(settings(data=str(folder), resident_gb=1e-9, loader_workers=workers))
    assert isinstance(data.images, StreamedImages)
    return data


def of_another_class(path: Path) -> None:
    """A sound image of as many bytes, or nearly so."""
    Image.fromarray(pattern(1, 7)).save(path)


def with_another_byte(path: Path) -> None:
    """Of the same size, at the same time but for a nanosecond."""
    status, content = path.stat(), bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def longer(path: Path) -> None:
    """With its old time."""
    status = path.stat()
    path.write_bytes(path.read_bytes() + b"more")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "of another class": (of_another_class, "it has changed"),
    "with another byte": (with_another_byte, "it has changed"),
    "longer": (longer, "it has changed"),
    "gone": (Path.unlink, "No such file or directory"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_image_is_refused_by_name_and_the_others_are_read(folder: Path, change: str) -> None:
    data = streamed(folder)
    inflict, why = CHANGES[change]
    inflict(folder / "a" / "007.png")
    with pytest.raises(ChangedData) as caught:
        data.images.take(np.arange(20))
    assert str(caught.value) == (
        f"the image {folder}/a/007.png is no longer as it was when the search began ({why}); "
        "put it back and resume, or start a new search"
    )
    assert caught.value.exit_code == 2
    assert len(data.images.take(np.arange(8, 200))) == 192


def test_processes_that_decode_notice_it_too(folder: Path) -> None:
    data = streamed(folder, workers=1)
    batches = data.images.batches([np.arange(10), np.arange(10)] * 10)
    next(batches)
    of_another_class(folder / "a" / "007.png")
    with pytest.raises(ChangedData, match="no longer as it was"):
        list(batches)


def test_the_next_search_takes_the_folder_as_it_is(folder: Path) -> None:
    first = streamed(folder)
    of_another_class(folder / "a" / "007.png")
    second = streamed(folder)
    assert second.task.fingerprint != first.task.fingerprint
    assert len(second.images.take(np.arange(20))) == 20


class Changing(FakeWorkshop):
    """Its second training meets a changed image."""

    def do(self, job: Job) -> Generator[EpochReport | Outcome]:
        if job.proposal.number == 1:
            raise ChangedData("the image x is no longer as it was")
        yield from super().do(job)


class ChangingParts(FakeParts):
    """A real engine with that workshop."""

    def _workshop(self) -> FakeWorkshop:
        return Changing(self.quality, self.labels, 10)

    def engine(self, config: SearchConfig, run: Run) -> Engine:
        return LocalEngine()


def test_it_ends_the_search_which_can_go_on(settings: SearchConfig, tmp_path: Path) -> None:
    with pytest.raises(ChangedData, match="no longer as it was"):
        run_search(settings, output=tmp_path / "run", listener=Hearing(), parts=ChangingParts())
    manifest: Manifest = Run(tmp_path / "run").manifest
    assert manifest.status == "failed"
    result = run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts())
    assert set(result.trials["state"]) <= {"complete", "pruned"}
