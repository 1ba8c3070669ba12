"""Decoding once: by how many processes changes nothing, and what a kill leaves behind is removed at the next start."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers_images import Recorder, prepared, settings, write_pattern_folder
from PIL import Image

from autokd.data import decoding
from autokd.data.decoding import decode_all
from autokd.data.sources.image_folder import read_folder
from autokd.data.streaming import PartsReader
from autokd.data.task import open_task, prepare_task
from autokd.progress import Silent


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = write_pattern_folder(tmp_path_factory.mktemp("images"), {"": {"a": 150, "b": 150, "c": 150}})
    (root / "b" / "007.png").write_bytes(b"no image")
    return root


def reader(folder: Path) -> PartsReader:
    return PartsReader(read_folder(folder).shipped, 32, "bicubic")


@pytest.mark.parametrize("resident", [True, False])
def test_other_processes_decode_the_same(folder, tmp_path, monkeypatch, resident):
    alone = decode_all(reader(folder), None, resident, tmp_path / "alone", 0, Silent())
    monkeypatch.setattr(decoding, "ALONE_SECONDS", 0.0)
    listener = Recorder()
    together = decode_all(reader(folder), None, resident, tmp_path / "together", 2, listener)
    assert together[1:] == alone[1:]
    assert together[2] == [157]
    assert [done for _, done, _ in listener.steps] == [0, 128, 256, 384, 450]
    assert (together[0] is not None) is resident
    if resident:
        assert (np.load(together[0]) == np.load(alone[0])).all()
        assert not np.load(together[0])[157].any()


def test_few_images_start_no_process(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "ALONE_SECONDS", 60.0)
    monkeypatch.setattr(decoding, "Workers", None)
    decode_all(reader(folder), None, True, tmp_path, 2, Silent())


def test_a_streamed_look_is_remembered_and_a_resident_one_follows_it(folder, tmp_path):
    key = "the same data"
    _, *found = decode_all(reader(folder), key, False, tmp_path, 0, Silent())
    listener = Recorder()
    assert decode_all(reader(folder), key, False, tmp_path, 0, listener) == (None, *found)
    assert not listener.steps
    path, *same = decode_all(reader(folder), key, True, tmp_path, 0, Silent())
    assert same == found
    assert path is not None
    assert np.load(path, mmap_mode="r").shape == (450, 3, 32, 32)
    assert decode_all(reader(folder), key, False, tmp_path, 0, listener) == (None, *found)
    assert not listener.steps
    assert path.exists()


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"content": "a", "corrupt": 1}'])
def test_images_whose_note_is_damaged_are_decoded_again(folder, tmp_path, note):
    path, *same = decode_all(reader(folder), "the same data", True, tmp_path, 0, Silent())
    path.with_name("meta.json").write_text(note)
    listener = Recorder()
    assert decode_all(reader(folder), "the same data", True, tmp_path, 0, listener) == (path, *same)
    assert listener.steps[-1][1:] == (450, 450)
    assert np.load(path, mmap_mode="r").shape == (450, 3, 32, 32)


def test_one_bit_of_one_pixel_is_noticed_by_the_controller_alone(folder, tmp_path, monkeypatch):
    path, *same = decode_all(reader(folder), "the same data", True, tmp_path, 0, Silent())
    sound = np.load(path)
    array = np.lib.format.open_memmap(path, mode="r+")
    array[123, 1, 4, 5] ^= 1
    array.flush()
    listener = Recorder()
    assert decode_all(reader(folder), "the same data", True, tmp_path, 0, listener) == (path, *same)
    assert listener.notes == [
        f"The decoded images kept in {path.parent} are damaged or of another version; they are decoded again."
    ]
    assert (np.load(path) == sound).all()
    config = settings(data=str(folder), on_corrupt="skip")
    task = prepare_task(config, 160, Silent())
    monkeypatch.setattr(decoding, "_hashes", None)  # what a worker would stumble over
    assert len(open_task(task).labels) == 450


# ---- what a kill leaves behind ----------------------------------------------------------------------------------

SLOW = """
import sys, time
from pathlib import Path
from autokd.data import decoding
from autokd.data.decoding import decode_all
from autokd.progress import Silent

class Slow:
    size, whole, how = 8, False, ()
    def __len__(self):
        return 10_000
    def __call__(self, index):
        time.sleep(0.01)
        return __import__("numpy").zeros((3, 8, 8), "uint8")

class Loud(Silent):
    def advance(self, what, done, total, seconds_left):
        print(done, flush=True)

decode_all(Slow(), None, True, Path(sys.argv[1]), 0, Loud())
"""


def test_the_folder_of_a_killed_decoding_goes_at_the_next_start_that_of_a_living_one_stays(folder, tmp_path):
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    (left,) = (tmp_path / "images").glob(".decoding-*")
    decode_all(reader(folder), "one", True, tmp_path, 0, Silent())
    assert left.exists(), "it belongs to a living process"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    decode_all(reader(folder), "two", True, tmp_path, 0, Silent())
    assert not left.exists()
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_where_locks_cannot_tell_a_day_decides(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError("not supported")

    monkeypatch.setattr("fcntl.flock", no_locks)
    monkeypatch.setattr(decoding.fcntl, "flock", no_locks)
    for name, age in (("new", 3_600), ("old", 100_000)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert not decoding._abandoned(tmp_path / "new")
    assert decoding._abandoned(tmp_path / "old")


# ---- many files -------------------------------------------------------------------------------------------------


def test_names_that_are_no_text_and_links_to_nothing_are_met_gracefully(tmp_path):
    root = write_pattern_folder(tmp_path / "images", {"": {"a": 60, "b": 60, "c": 60}})
    odd = os.fsencode(root / "a") + b"/\xff\xfe.png"
    Image.new("RGB", (32, 32)).save(root / "a" / "plain.png")
    (root / "a" / "plain.png").rename(os.fsdecode(odd))
    (root / "b" / "000.png").unlink()
    (root / "b" / "000.png").symlink_to(root / "nothing")
    data = prepared(settings(data=str(root), on_corrupt="skip", resident_gb=1e-9))
    assert data.task.skipped == (os.path.join("b", "000.png"),)  # noqa: PTH118
    assert len(next(data.images.batches([data.train]))) == data.task.train


def test_a_file_that_changes_and_one_that_is_touched_are_noticed(folder):
    config = settings(data=str(folder), on_corrupt="skip")
    first = prepare_task(config, 160, Silent())
    again, touched = Recorder(), Recorder()
    assert prepare_task(config, 160, again) == first
    assert not again.steps
    os.utime(folder / "c" / "000.png", (1, 1))
    assert prepare_task(config, 160, touched) == first
    assert touched.steps


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no way to take disk ahead")
def test_the_disk_is_taken_before_anything_is_decoded(folder, tmp_path, monkeypatch):
    asked = []

    def full(file: int, begin: int, size: int) -> None:
        asked.append(size)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        decode_all(reader(folder), None, True, tmp_path, 0, Silent())
    assert asked[0] > 450 * 3 * 32 * 32
