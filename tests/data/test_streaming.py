"""Streamed images: the same pixels in the same order whoever decodes them, and a clean start after any end."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import Recorder, prepared, settings, write_pattern_folder
from PIL import Image
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from autokd.data.image_store import to_pixels
from autokd.data.open_image import open_image
from autokd.data.streaming import PIECE, StreamedImages
from autokd.data.task import prepare_task
from autokd.data.workers import worker_count
from autokd.errors import DataError
from autokd.machine import usable_cores

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
COUNT, SIZE = 200, 16


class Files:
    """See Reader: numbered files in a folder."""

    size = SIZE

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def name(self, index: int) -> str:
        return str(self._folder / f"{index}.png")

    def __call__(self, index: int) -> np.ndarray:
        return to_pixels(open_image(self.name(index)), SIZE, "bilinear")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("numbered")
    pixels = np.random.default_rng(0).integers(0, 256, (COUNT, SIZE, SIZE, 3), dtype=np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(root / f"{number}.png")
    return root


def children() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid}


def assert_gone(pids: set[int], seconds: float = 15.0) -> None:
    """No such process runs any more; one that has ended without being waited for counts as gone."""
    deadline = time.monotonic() + seconds
    while left := {pid for pid in pids if runs(pid)}:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def groups(seed: int, sizes: tuple[int, ...] = (48, PIECE, 1, 3 * PIECE + 5, 0, 48)) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, COUNT, size) for size in sizes]


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_batches_are_those_asked_for_in_order_epoch_after_epoch(folder, workers):
    store, simple = StreamedImages(Files(folder), "cpu", workers), StreamedImages(Files(folder), "cpu", 0)
    started = set()
    for epoch in range(3):
        wanted = groups(epoch)
        given = list(store.batches(wanted))
        assert [len(batch) for batch in given] == [len(group) for group in wanted]
        assert all(batch.dtype == torch.uint8 for batch in given)
        assert all(torch.equal(batch, simple.take(group)) for batch, group in zip(given, wanted, strict=True))
        started = started or children()
        assert children() == started, "the processes of the first epoch serve the others"
    assert len(started) == workers
    del store
    gc.collect()
    assert_gone(started)


@pytest.mark.parametrize("workers", [0, 2])
def test_after_an_abandoned_iterator_the_next_starts_clean(folder, workers):
    store = StreamedImages(Files(folder), "cpu", workers)
    for stop_after in (0, 1, 3):
        iterator = store.batches(groups(1))
        for _ in range(stop_after):
            next(iterator)
        wanted = groups(2)
        given = list(store.batches(wanted))
        assert all(torch.equal(batch, store.take(group)) for batch, group in zip(given, wanted, strict=True))
        if stop_after:
            with pytest.raises(RuntimeError, match="ended by a later one"):
                list(iterator)

    def training_that_fails():
        for number, _ in enumerate(store.batches(groups(3))):
            if number == 1:
                raise ValueError("the student exploded")

    with pytest.raises(ValueError, match="exploded"):
        training_that_fails()
    assert torch.equal(next(store.batches(groups(4))), store.take(groups(4)[0]))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_can_no_longer_be_read_is_named(folder, tmp_path, workers):
    for number in range(COUNT):
        (tmp_path / f"{number}.png").symlink_to(folder / f"{number}.png")
    store = StreamedImages(Files(tmp_path), "cpu", workers)
    for number, content in ((150, None), (77, b"no image")):
        path = tmp_path / f"{number}.png"
        path.unlink()
        if content:
            path.write_bytes(content)
        whole = np.arange(number - 60, number + 3)
        with pytest.raises(DataError, match=rf"{number}\.png is no longer as it was") as caught:
            list(store.batches([np.arange(10), whole]))
        assert "\n" not in str(caught.value)
        with pytest.raises(DataError, match=rf"{number}\.png is no longer as it was"):
            store.take(whole)
    assert len(next(store.batches([np.arange(10)]))) == 10


def kill(pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert_gone(pids)


def test_a_process_that_dies_is_told_in_a_sentence_and_replaced(folder):
    store = StreamedImages(Files(folder), "cpu", 1)
    iterator = store.batches([np.arange(COUNT)] * 50)
    next(iterator)
    before = children()
    kill(before)
    with pytest.raises(DataError, match=r"a process that decodes images died.*loader_workers=0") as caught:
        list(iterator)
    assert "\n" not in str(caught.value)
    assert torch.equal(next(store.batches([np.arange(5)])), store.take(np.arange(5)))
    kill(children())
    assert torch.equal(next(store.batches([np.arange(5)])), store.take(np.arange(5)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_a_signal_to_the_whole_group_leaves_the_processes_to_the_controller(folder, number):
    others = children()
    store = StreamedImages(Files(folder), "cpu", 1)
    iterator = store.batches([np.arange(COUNT)] * 6)
    next(iterator)
    (pid,) = children() - others
    os.kill(pid, number)
    assert len(list(iterator)) == 5
    assert pid in children()


@pytest.mark.parametrize("error", [ConnectionResetError(104, "Connection reset by peer"), EOFError()])
def test_a_connection_that_breaks_off_is_told_as_the_death_that_it_is(folder, monkeypatch, error):
    """Of a process that is still dying, torch passes on what the connection to it raises."""
    store = StreamedImages(Files(folder), "cpu", 1)
    iterator = store.batches([np.arange(COUNT)] * 2)
    next(iterator)

    def broken(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(_MultiProcessingDataLoaderIter, "_try_get_data", broken)
        with pytest.raises(DataError, match=r"a process that decodes images died"):
            list(iterator)
    assert torch.equal(next(store.batches([np.arange(5)])), store.take(np.arange(5)))
    with monkeypatch.context() as patch:
        patch.setattr(_MultiProcessingDataLoaderIter, "_reset", broken_once(_MultiProcessingDataLoaderIter, error))
        assert torch.equal(next(store.batches([np.arange(5)])), store.take(np.arange(5)))


def broken_once(kind: type, error: Exception):
    """`_reset` of processes that are there already raises; that of new ones works."""
    reset = kind._reset

    def maybe(self, loader, first_iter=False):
        if not first_iter:
            raise error
        reset(self, loader, first_iter)

    return maybe


def test_an_interrupt_from_the_keyboard_is_left_to_the_controller(folder):
    store = StreamedImages(Files(folder), "cpu", 2)
    iterator = store.batches(groups(5))
    first = next(iterator)
    for pid in children():
        os.kill(pid, signal.SIGINT)
    assert len(first) + sum(len(batch) for batch in iterator) == sum(len(group) for group in groups(5))


def test_random_numbers_of_the_training_are_left_alone(folder):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    store = StreamedImages(Files(folder), "cpu", 1)
    list(store.batches(groups(0)))
    list(store.batches(groups(1)))
    assert torch.equal(torch.rand(4), expected)


def test_processes_by_default_are_the_cores_less_one_shared_by_trainings(monkeypatch):
    assert worker_count(None) == max(1, usable_cores() - 1)
    monkeypatch.setattr("autokd.data.workers.usable_cores", lambda: 17)
    assert [worker_count(None, slots) for slots in (1, 2, 5, 40)] == [16, 8, 3, 1]
    assert [worker_count(asked, 4) for asked in (0, 3)] == [0, 3]


def test_where_no_process_may_be_forked_none_is(monkeypatch):
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    assert worker_count(4) == 0


def _in_a_daemon(folder: Path, pipe) -> None:
    store = StreamedImages(Files(folder), "cpu", 2)
    pipe.send(int(next(store.batches([np.arange(3)])).sum()))


def test_a_daemon_which_may_have_no_children_decodes_by_itself(folder):
    here, there = multiprocessing.get_context("fork").Pipe()
    process = multiprocessing.get_context("fork").Process(target=_in_a_daemon, args=(folder, there), daemon=True)
    process.start()
    assert here.poll(60)
    assert here.recv() == int(StreamedImages(Files(folder), "cpu").take(np.arange(3)).sum())
    process.join()


# ---- which way, and that it changes nothing ---------------------------------------------------------------------


def test_which_way_the_images_go_is_said_with_its_reason(tmp_path):
    root = write_pattern_folder(tmp_path, {"": {"a": 60, "b": 60, "c": 60}})
    said = {}
    for limit, workers in ((4.0, 3), (0.0004, 3), (0.0004, 1), (0.0004, 0)):
        listener = Recorder()
        prepare_task(settings(data=str(root), resident_gb=limit, loader_workers=workers, image_size=32), 160, listener)
        said[limit, workers], *_ = listener.notes
    assert said[4.0, 3] == "180 images are decoded once and kept in memory-mapped form (0.553 MB)"
    start = "180 images would take 0.553 MB decoded, more than the 0.0004 GB that were allowed (resident_gb): "
    assert said[0.0004, 3] == start + "3 worker processes decode them while training"
    assert said[0.0004, 1] == start + "1 worker process decodes them while training"
    assert said[0.0004, 0] == start + "the training process decodes them"


@pytest.mark.parametrize(("memory", "disk", "what"), [(10**6, 10**9, "1 MB of free memory"), (10**9, 10**6, "1 MB of")])
def test_what_is_kept_decoded_follows_the_machine(tmp_path, monkeypatch, memory, disk, what):
    root = write_pattern_folder(tmp_path, {"": {"a": 60, "b": 60, "c": 60}})
    said = []
    for number in range(2):
        listener, cache = Recorder(), tmp_path / f"cache-{number}"
        prepare_task(settings(data=str(root), loader_workers=0, image_size=32, cache_dir=cache), 160, listener)
        said += listener.notes[:1]
        monkeypatch.setattr("autokd.data.resident_plan.available_memory", lambda: memory)
        monkeypatch.setattr("autokd.data.resident_plan.free_disk", lambda _: disk)
    assert said[0].startswith("180 images are decoded once and kept")
    assert f"more than half of the {what}" in said[1]
    assert ("free disk" in said[1]) is (disk < memory)


def test_both_ways_are_the_same_task(tmp_path):
    root = write_pattern_folder(tmp_path, {"": {"a": 60, "b": 60, "c": 60}})
    resident = prepared(settings(data=str(root)))
    streamed = prepared(settings(data=str(root), resident_gb=1e-9))
    assert isinstance(streamed.images, StreamedImages)
    assert not isinstance(resident.images, StreamedImages)
    assert streamed.task == resident.task
    assert streamed.folder == resident.folder
    for a, b in zip(
        streamed.images.batches([streamed.train, streamed.val]),
        resident.images.batches([resident.train, resident.val]),
        strict=True,
    ):
        assert torch.equal(a, b)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_on_a_gpu(folder, workers):
    store = StreamedImages(Files(folder), "cuda", workers)
    for _ in range(2):
        for batch, group in zip(store.batches(groups(0)), groups(0), strict=True):
            assert batch.is_cuda
            assert torch.equal(batch.cpu(), store.take(group).cpu())
