"""Soft labels: the teacher's logits on the students' very views, written once, checked, extended and shared."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import Recorder, small_task
from helpers_teachers import VIEWS_SEED, Oracle, ready, soft_labels, tiny_teacher
from torch import nn

import autokd.soft_labels.format
import autokd.soft_labels.write
from autokd.data.task import TaskData
from autokd.data.views import make_view, normalise
from autokd.records import Recipe, SoftLabelSet
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import seconds_since
from autokd.training.loop import Training, train

DATA = small_task()  # 60 training images


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Three chunks a view: images 0 to 23, 24 to 47 and 48 to 59."""
    monkeypatch.setattr(autokd.soft_labels.format, "BATCH", 12)
    monkeypatch.setattr(autokd.soft_labels.format, "CHUNK_BATCHES", 2)


def contents(folder: str | Path) -> dict[str, bytes]:
    """The rows of every view on disk, by name."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("view-*.npy"))}


def stamps(folder: str | Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was written again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in Path(folder).glob("[!.]*")}


class Stop(Recorder):
    """Raises once `after` images are written."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def advance(self, what, done, total, seconds_left):
        """Keep, then stop."""
        super().advance(what, done, total, seconds_left)
        if done == self.after:
            raise KeyboardInterrupt


def test_they_are_the_teachers_logits_on_the_students_views(tmp_path):
    teacher = tiny_teacher()
    made = soft_labels(tmp_path, 3)
    labels = SoftLabels(Path(made.folder), 3, "cpu")
    assert (made.views, made.reused) == (3, 0)
    assert made.seconds == pytest.approx(made.total_seconds)
    for view in range(3):
        images = make_view(DATA.images.take(DATA.train), DATA.train, DATA.task.transform, VIEWS_SEED, view)
        with torch.inference_mode():
            expected = teacher.model(normalise(images, *teacher.normalisation))
        assert expected.abs().max() > 1
        found = labels.logits(view, np.arange(len(DATA.train)), None)
        assert found.dtype == torch.float16
        assert torch.allclose(found.float(), expected, atol=2e-3, rtol=2e-3)
        some = np.array([40, 3, 3, 17])
        assert torch.equal(labels.logits(view, some, None), found[some])
    with pytest.raises(IndexError):
        labels.logits(3, np.array([0]), None)


class Watching(nn.Module):
    """Remembers every image that it sees, in 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        self.pretrained_cfg = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
        self.seen: list[torch.Tensor] = []

    def forward(self, images):
        """Logits."""
        self.seen.append(images.detach().clone())
        return self.head(images.mean((2, 3)))


@pytest.mark.parametrize("crop", ["padded", "resized"])
def test_teacher_and_student_see_the_same_crops(tmp_path, crop):
    transform = DATA.task.transform.model_copy(
        update={"crop": crop, "image_size": 32 if crop == "padded" else 28, "interpolation": "bilinear"}
    )
    data = dataclasses.replace(DATA, task=DATA.task.model_copy(update={"transform": transform, "fingerprint": crop}))
    teacher, student = ready(Watching()), Watching()
    made = soft_labels(tmp_path, 2, teacher, data)

    asked = []

    class Listening(SoftLabels):
        def logits(self, view, positions, images):
            asked.append((view, positions))
            return super().logits(view, positions, images)

    training = Training(
        data=dataclasses.replace(data, val=data.val[:1]),
        model=student,
        normalisation=teacher.normalisation,
        recipe=Recipe(learning_rate=1e-3, epochs=2, batch_size=20, alpha=0.5),
        seed=0,
        views_seed=VIEWS_SEED,
        device="cpu",
        teacher=Listening(Path(made.folder), 2, "cpu"),
    )
    list(train(training))
    written = teacher.model.seen[-10:]  # before them it was timed
    of_teacher = [torch.cat(written[:5]), torch.cat(written[5:])]
    of_student = [images for images in student.seen if len(images) == 20]
    assert len(asked) == len(of_student) == 6
    for images, (view, positions) in zip(of_student, asked, strict=True):
        assert torch.equal(images, of_teacher[view][positions])


def test_a_second_call_writes_nothing(tmp_path):
    first = soft_labels(tmp_path, 2)
    before = stamps(first.folder)
    listener = Recorder()
    second = soft_labels(tmp_path, 2, listener=listener)
    assert stamps(first.folder) == before
    assert second == first.model_copy(update={"reused": 2, "seconds": 0.0})
    assert listener.steps == []
    assert listener.notes == ["Reusing the soft labels of 2 views from an earlier run."]


def test_a_longer_schedule_adds_views_and_rewrites_none(tmp_path):
    first = soft_labels(tmp_path, 2)
    before = stamps(first.folder)
    longer = soft_labels(tmp_path, 4)
    assert (longer.folder, longer.reused, longer.views) == (first.folder, 2, 4)
    assert longer.total_seconds == pytest.approx(first.total_seconds + longer.seconds)
    after = stamps(first.folder)
    assert {name: after[name] for name in before} == before
    assert contents(longer.folder) == contents(soft_labels(tmp_path / "other", 4).folder)
    shorter = soft_labels(tmp_path, 1)
    assert (shorter.reused, shorter.seconds) == (1, 0.0)


def test_size_and_time_are_told_first_and_only_of_what_is_missing(tmp_path):
    told = [Recorder(), Recorder(), Recorder()]
    soft_labels(tmp_path, 2, listener=told[0])
    assert told[0].notes[0].startswith("Soft labels: 2 views of 60 images and 3 classes, 0.0 MB, about ")
    soft_labels(tmp_path, 5, listener=told[1])
    assert told[1].notes[1].startswith("Soft labels: 3 views of 60 images and 3 classes, ")
    (folder,) = (tmp_path / "softlabels").iterdir()
    flip(folder / "view-0001.npy", -100)
    soft_labels(tmp_path, 5, listener=told[2])
    assert told[2].notes[-1].startswith("Soft labels: 24 images in 1 views and 3 classes, ")
    assert [step[1:] for step in told[1].steps][-1] == (180, 180)


def flip(path: Path, place: int) -> None:
    """One bit of one byte."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a byte of the second chunk": (lambda path: flip(path, -100), 24),
    "a byte of the last chunk": (lambda path: flip(path, -5), 12),
    "the header": (lambda path: flip(path, 3), 0),
    "its end is gone": (lambda path: path.write_bytes(path.read_bytes()[:-7]), 12),
    "it is longer": (lambda path: path.write_bytes(path.read_bytes() + b"more"), 0),
    "it is gone": (Path.unlink, 60),
}


@pytest.mark.parametrize(("damage", "images"), DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed_and_only_the_damaged_chunk_is_written_again(tmp_path, damage, images):
    made = soft_labels(tmp_path, 3)
    sound, before = contents(made.folder), stamps(made.folder)
    victim = Path(made.folder) / "view-0001.npy"
    damage(victim)
    listener = Recorder()
    again = soft_labels(tmp_path, 3, listener=listener)
    assert again.reused == (3 if images == 0 else 2)
    assert sum(step[1] == step[2] == images for step in listener.steps) == (1 if images else 0)
    assert "view 1" in listener.notes[0]
    assert listener.notes[0].endswith("what is damaged is written again.")
    assert contents(made.folder) == sound
    after = stamps(made.folder)
    assert all(after[name] == before[name] for name in ("view-0000.npy", "view-0002.npy", "view-0000.json"))
    assert soft_labels(tmp_path, 3).reused == 3


def test_any_byte_of_a_views_json_counts(tmp_path):
    made = soft_labels(tmp_path, 1)
    path, sound = Path(made.folder) / "view-0000.json", contents(made.folder)
    text = path.read_bytes()
    for place in range(0, len(text), 7):
        flip(path, min(place, path.stat().st_size - 1))  # the seconds in it may be shorter each time
        assert soft_labels(tmp_path, 1).reused == 0, f"byte {place}: {path.read_bytes()}"
    assert contents(made.folder) == sound


def test_an_interruption_keeps_the_finished_chunks(tmp_path):
    whole = contents(soft_labels(tmp_path / "whole", 3).folder)
    with pytest.raises(KeyboardInterrupt):
        soft_labels(tmp_path, 3, listener=Stop(84))
    (folder,) = (tmp_path / "softlabels").iterdir()
    first = contents(folder)
    assert first["view-0000.npy"] == whole["view-0000.npy"]
    assert whole["view-0001.npy"].startswith(first["view-0001.npy"])
    assert len(first["view-0001.npy"]) == len(whole["view-0001.npy"]) - 36 * 3 * 2
    before, listener = stamps(folder), Recorder()
    resumed = soft_labels(tmp_path, 3, listener=listener)
    assert seconds_since(resumed, 0.0) == pytest.approx(resumed.total_seconds), "the interrupted part counts too"
    assert seconds_since(resumed, time.time() + 1) == 0
    assert resumed.reused == 1
    assert listener.steps[-1][1:] == (96, 96)
    assert contents(folder) == whole
    assert stamps(folder)["view-0000.npy"] == before["view-0000.npy"]


def test_a_kill_between_a_chunk_and_its_entry_is_as_if_the_chunk_were_missing(tmp_path, monkeypatch):
    def kill(path, record):
        if path.name == "view-0000.json":
            raise KeyboardInterrupt
        sealed(path, record)

    sealed = autokd.soft_labels.write.write_sealed
    monkeypatch.setattr(autokd.soft_labels.write, "write_sealed", kill)
    with pytest.raises(KeyboardInterrupt):
        soft_labels(tmp_path, 2)
    monkeypatch.undo()
    monkeypatch.setattr(autokd.soft_labels.format, "BATCH", 12)
    monkeypatch.setattr(autokd.soft_labels.format, "CHUNK_BATCHES", 2)
    made = soft_labels(tmp_path, 2)
    assert made.reused == 0
    assert contents(made.folder) == contents(soft_labels(tmp_path / "other", 2).folder)


def test_kill_9_while_writing_then_resume_gives_the_same_bytes(tmp_path):
    alone = Path(soft_labels(tmp_path / "alone", 40).folder)
    folder = tmp_path / "killed" / "softlabels" / alone.name
    writer = start_writer(tmp_path / "killed", 40)
    deadline = time.monotonic() + 120
    while not (folder / "view-0002.json").exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    writer.kill()
    writer.wait()
    done = len(contents(folder))
    assert 2 < done < 40, "it was not killed in the middle"
    made = soft_labels(tmp_path / "killed", 40)
    assert made.reused >= done - 1
    assert contents(folder) == contents(alone)


OTHERS = {
    "other weights": {"teacher": tiny_teacher(1)},
    "other name": {"teacher": ready(tiny_teacher().model, "test_resnet_quick")},
    "other normalisation": {"teacher": dataclasses.replace(tiny_teacher(), normalisation=((0.4,) * 3, (0.3,) * 3))},
    "other data": {"data": small_task(noise=30)},
    "other transform": {"data": small_task(flip=False)},
    "other views": {"views_seed": VIEWS_SEED + 1},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_whatever_changes_the_logits_changes_the_folder(tmp_path, change):
    first = soft_labels(tmp_path, 1)
    second = soft_labels(tmp_path, 1, **change)
    assert second.folder != first.folder
    assert second.reused == 0


def test_labels_hidden_from_students_make_no_other_soft_labels(tmp_path):
    first = soft_labels(tmp_path, 2)
    task = DATA.task.model_copy(
        update={"fingerprint": "hidden", "unhidden_fingerprint": DATA.task.fingerprint, "labelled": 6}
    )
    hidden = dataclasses.replace(DATA, task=task, labels=np.full_like(DATA.labels, -1))
    second = soft_labels(tmp_path, 2, data=hidden)
    assert (second.folder, second.reused, second.seconds) == (first.folder, 2, 0.0)


def test_other_versions_are_a_miss(tmp_path, monkeypatch):
    first = soft_labels(tmp_path, 1)
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert soft_labels(tmp_path, 1).folder != first.folder


def test_the_size_of_batches_only_rounds(tmp_path, monkeypatch):
    whole = soft_labels(tmp_path / "whole", 1, ready(Oracle()))
    monkeypatch.setattr(autokd.soft_labels.format, "BATCH", 7)
    parts = soft_labels(tmp_path / "parts", 1, ready(Oracle()))
    first, second = (np.load(Path(made.folder) / "view-0000.npy") for made in (whole, parts))
    assert first.shape == (len(DATA.train), 3)
    assert np.allclose(first, second, atol=1e-2)


def start_writer(cache: Path, views: int) -> subprocess.Popen[str]:
    """A process that writes soft labels in chunks as small as here."""
    helper = Path(__file__).parents[1] / "helpers_teachers.py"
    environment = {**os.environ, "PYTHONPATH": str(Path(autokd.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, str(helper), str(cache), str(views), "12", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_two_processes_end_with_one_valid_set(tmp_path):
    alone = Path(soft_labels(tmp_path / "alone", 3).folder)
    folder = tmp_path / "shared" / "softlabels" / alone.name
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:  # holds both back until both are there
        fcntl.flock(lock, fcntl.LOCK_EX)
        writers = [start_writer(tmp_path / "shared", 3) for _ in range(2)]
        assert [writer.stdout.readline() for writer in writers] == ["started\n"] * 2
        waiting = [writer.stdout.readline() for writer in writers]
        assert waiting == ["Another process is writing these soft labels; waiting for it.\n"] * 2
        assert contents(folder) == {}
    made = []
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
        made.append(SoftLabelSet.model_validate_json(out.splitlines()[-1]))
    assert {one.folder for one in made} == {str(folder)}
    assert sorted(one.reused for one in made) == [0, 3]
    assert contents(folder) == contents(alone)
    assert soft_labels(tmp_path / "shared", 3).reused == 3


class Constant(nn.Module):
    """The same logits for every image, whatever it shows."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.linspace(-3.0, 3.0, classes))

    def forward(self, images):
        """Logits [n, classes]."""
        return self.own.expand(len(images), -1)


class Blank:
    """An ImageStore of as many black images as are asked for."""

    size, shapes = 8, None

    def batches(self, groups):
        """See ImageStore."""
        return (torch.zeros(len(group), 3, 8, 8, dtype=torch.uint8) for group in groups)


def blank_task(images: int) -> TaskData:
    """A task of black images with 50 classes."""
    data = small_task(classes=50, train=60)
    task = data.task.model_copy(
        update={
            "fingerprint": f"blank {images}",
            "transform": data.task.transform.model_copy(update={"image_size": 8}),
        }
    )
    return dataclasses.replace(data, task=task, images=Blank(), train=np.arange(images))


def test_memory_does_not_grow_with_the_images(tmp_path, monkeypatch):
    monkeypatch.undo()  # chunks of the usual size
    peaks = []
    for number, images in enumerate((4_000, 4_000, 40_000)):  # the first one fills caches
        teacher, data = ready(Constant(50)), blank_task(images)
        tracemalloc.start()
        made = soft_labels(tmp_path / str(number), 1, teacher, data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (Path(made.folder) / "view-0000.npy").stat().st_size > images * 100
    assert peaks[2] - peaks[1] < 0.1 * (40_000 - 4_000) * 100, peaks


def test_a_task_of_another_size_has_labels_of_its_own_size(tmp_path):
    data: TaskData = small_task(train=30)
    made = soft_labels(tmp_path, 1, data=data)
    assert np.load(Path(made.folder) / "view-0000.npy").shape == (30, 3)
