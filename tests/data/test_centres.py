"""Where images are streamed, validation and test images are decoded once, as far as there is room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import Recorder, one_thread, pattern, prepared, settings
from PIL import Image

from autokd.cache.entries import entries
from autokd.data import streaming
from autokd.data.streaming import StreamedImages
from autokd.data.task import TaskData, cache_folders, decoded_images, open_task, prepare_task
from autokd.errors import ChangedData
from autokd.training.evaluate import predict
from autokd.tune.worker import TrainingFactory

SIZE = 96
EACH = SIZE * SIZE * 3 / 1e9  # GB of a clean view
STATS = (0.5,) * 3, (0.25,) * 3


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """160 pictures in two classes, of which 40 become test and 24 validation images."""
    root = tmp_path_factory.mktemp("photos")
    for label in range(2):
        (root / str(label)).mkdir()
        for number in range(80):
            picture = pattern(label, number, size=160)[: 120 if number % 3 else 160]
            Image.fromarray(picture).save(root / str(label) / f"{number:02}.png")
    return root


def config(folder: Path, cache: Path, gigabytes: float, **options):
    return settings(
        data=str(folder), image_size=SIZE, cache_dir=cache, resident_gb=gigabytes, loader_workers=0, **options
    )


class Sums(torch.nn.Module):
    """Logits that tell the inputs apart."""

    def forward(self, images):
        """[n, 2]."""
        return images.flatten(1).double().cumsum(1)[:, [5_000, -1]].float()


def logits(data: TaskData, indices: np.ndarray) -> torch.Tensor:
    return predict(Sums(), data, indices, STATS, "cpu")


def test_they_are_what_decoding_them_again_would_give(folder, tmp_path, monkeypatch):
    resident, streamed = (prepared(config(folder, tmp_path / "all", limit)) for limit in (4.0, 1e-9))
    assert isinstance(streamed.images, StreamedImages) and not streamed.centres and not resident.centres
    kept = prepared(config(folder, tmp_path / "some", 80 * EACH))
    assert isinstance(kept.images, StreamedImages)
    assert kept.task == resident.task

    expected = {part: logits(resident, getattr(resident, part)) for part in ("val", "test")}
    assert torch.equal(logits(streamed, streamed.val), expected["val"])
    monkeypatch.setattr(streaming, "decode", None)
    monkeypatch.setattr(streaming, "to_pixels", None)
    for part in ("val", "test"):
        assert torch.equal(logits(kept, getattr(kept, part)), expected[part])
    backwards = kept.val[::-1].copy()
    assert torch.equal(logits(kept, backwards), expected["val"].flip(0))


def test_what_has_room_is_kept_and_said(folder, tmp_path):
    said = {}
    for images in (80, 30, 1):
        listener = Recorder()
        data = open_task(prepare_task(config(folder, tmp_path / str(images), images * EACH), 160, listener), "cpu", 0)
        said[images] = listener.notes[-1]
        assert any(some.has(data.val) for some in data.centres) is (images > 1)
        assert any(some.has(data.test) for some in data.centres) is (images > 30)
        if images > 1:
            assert len(decoded_images(data.folder)) == 1
    val, test = data.task.val, data.task.test
    of_val, of_both = (f"{count * EACH * 1e3:.3g} MB" for count in (val, val + test))
    assert said[80] == f"{val + test} validation and test images are kept decoded ({of_both})"
    assert said[30] == f"{val} validation images are kept decoded ({of_val}); test images do not fit too"
    assert said[1] == "Validation and test images do not fit either; every evaluation decodes them again"


def test_they_are_an_entry_of_the_cache_that_a_search_holds_sends_and_reuses(folder, tmp_path, monkeypatch):
    place = prepare_task(config(folder, tmp_path, 80 * EACH), 160, Recorder())
    (array,) = decoded_images(place)
    assert cache_folders(place) == [place, array.parent]
    assert array in TrainingFactory(place, None, 3, "cpu").files()
    (entry,) = [entry for entry in entries(tmp_path) if entry.path == str(array.parent)]
    assert entry.data == str(folder) and entry.classes == 2

    monkeypatch.setattr(streaming, "to_pixels", None)
    assert prepare_task(config(folder, tmp_path, 80 * EACH), 160, Recorder()) == place


def test_a_changed_bit_of_them_is_noticed(folder, tmp_path):
    data = prepared(config(folder, tmp_path, 80 * EACH))
    expected = logits(data, data.test)
    (array,) = decoded_images(data.folder)
    content = bytearray(array.read_bytes())
    content[-9] ^= 1
    array.write_bytes(content)
    listener = Recorder()
    again = open_task(prepare_task(config(folder, tmp_path, 80 * EACH), 160, listener), "cpu", 0)
    assert any("are damaged or of another version; they are decoded again" in note for note in listener.notes)
    assert torch.equal(logits(again, again.test), expected)


def test_an_image_that_goes_between_the_two_looks_is_named(folder, tmp_path, monkeypatch):
    def gone(self, index):
        raise OSError("no such file")

    monkeypatch.setattr("autokd.data.centres._Some.__call__", gone)
    with pytest.raises(ChangedData, match=r"\d\d\.png is no longer as it was a moment ago"):
        prepare_task(config(folder, tmp_path, 80 * EACH), 160, Recorder())
