"""Soft labels: the teacher's logits on the students' very views, written once, checked, extended and shared."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import Recorder, small_task
from helpers_teachers import VIEWS_SEED, Oracle, ready, soft_labels, tiny_teacher
from torch import nn

import autokd.teacher.softlabels
from autokd.data.task import TaskData
from autokd.data.views import make_view, normalise
from autokd.distill.loop import Training, train
from autokd.errors import DataError
from autokd.records import Recipe
from autokd.teacher.softlabels import SoftLabels, SoftLabelSet, seconds_since

DATA = small_task()


def contents(folder: str | Path) -> dict[str, bytes]:
    """Every view on disk, by name."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("view-*.npy"))}


def stamps(folder: str | Path) -> dict[str, tuple[int, int]]:
    """What tells a file that was written again."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in Path(folder).glob("[!.]*")}


class Stop(Recorder):
    """Raises once `after` views are written."""

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
    of_teacher = [torch.cat(teacher.model.seen[:1]), torch.cat(teacher.model.seen[1:])]
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
    assert {name: after[name] for name in before if name != "manifest.json"} == {
        name: stamp for name, stamp in before.items() if name != "manifest.json"
    }
    assert contents(longer.folder) == contents(soft_labels(tmp_path / "other", 4).folder)
    shorter = soft_labels(tmp_path, 1)
    assert (shorter.reused, shorter.seconds) == (1, 0.0)


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_view_is_noticed_and_only_that_one_rewritten(tmp_path, damage):
    made = soft_labels(tmp_path, 3)
    sound, before = contents(made.folder), stamps(made.folder)
    victim = Path(made.folder) / "view-0001.npy"
    broken = bytearray(sound[victim.name])
    broken[-5] ^= 1
    if damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(broken if damage == "flipped" else broken[:-7])
    listener = Recorder()
    again = soft_labels(tmp_path, 3, listener=listener)
    assert again.reused == 2
    assert [step[1:] for step in listener.steps] == [(1, 1)]
    assert contents(made.folder) == sound
    after = stamps(made.folder)
    assert all(after[name] == before[name] for name in ("view-0000.npy", "view-0002.npy"))


@pytest.mark.parametrize("manifest", ["", "no json", '{"0": '])
def test_a_damaged_manifest_trusts_no_view(tmp_path, manifest):
    made = soft_labels(tmp_path, 2)
    sound = contents(made.folder)
    (Path(made.folder) / "manifest.json").write_text(manifest)
    assert soft_labels(tmp_path, 2).reused == 0
    assert contents(made.folder) == sound


def test_an_interruption_keeps_the_finished_views(tmp_path):
    whole = contents(soft_labels(tmp_path / "whole", 3).folder)
    with pytest.raises(KeyboardInterrupt):
        soft_labels(tmp_path, 3, listener=Stop(1))
    (folder,) = (tmp_path / "softlabels").iterdir()
    assert contents(folder) == {"view-0000.npy": whole["view-0000.npy"]}
    before = stamps(folder)
    resumed = soft_labels(tmp_path, 3)
    assert seconds_since(resumed, 0.0) == pytest.approx(resumed.total_seconds), "the interrupted part counts too"
    assert seconds_since(resumed, time.time() + 1) == 0
    assert resumed.reused == 1
    assert contents(folder) == whole
    assert stamps(folder)["view-0000.npy"] == before["view-0000.npy"]


def test_a_kill_between_a_view_and_its_entry_is_as_if_the_view_were_missing(tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(autokd.teacher.softlabels, "write_text", kill)
    with pytest.raises(KeyboardInterrupt):
        soft_labels(tmp_path, 2)
    monkeypatch.undo()
    made = soft_labels(tmp_path, 2)
    assert made.reused == 0
    assert contents(made.folder) == contents(soft_labels(tmp_path / "other", 2).folder)


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


def test_other_versions_are_a_miss(tmp_path, monkeypatch):
    first = soft_labels(tmp_path, 1)
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert soft_labels(tmp_path, 1).folder != first.folder


def test_the_last_batch_may_be_small(tmp_path, monkeypatch):
    whole = soft_labels(tmp_path / "whole", 1, ready(Oracle()))
    monkeypatch.setattr(autokd.teacher.softlabels, "BATCH", 7)
    parts = soft_labels(tmp_path / "parts", 1, ready(Oracle()))
    first, second = (np.load(Path(made.folder) / "view-0000.npy") for made in (whole, parts))
    assert first.shape == (len(DATA.train), 3)
    assert np.allclose(first, second, atol=1e-2)


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(autokd.teacher.softlabels.shutil, "disk_usage", lambda _: Usage())
    with pytest.raises(DataError, match=r"need 0\.0 GB .* 0\.0 GB free; give --cache-dir"):
        soft_labels(tmp_path, 1)
    assert list(tmp_path.rglob("view-*")) == []


class Usage:
    """A disk with a hundred bytes to spare."""

    free = 100


def test_two_processes_end_with_one_valid_set(tmp_path):
    alone = Path(soft_labels(tmp_path / "alone", 3).folder)
    folder = tmp_path / "shared" / "softlabels" / alone.name
    folder.mkdir(parents=True)
    helper = Path(__file__).parents[1] / "helpers_teachers.py"
    command = [sys.executable, str(helper), str(tmp_path / "shared"), "3"]
    environment = {**os.environ, "PYTHONPATH": str(Path(autokd.__file__).parents[1])}
    with (folder / ".lock").open("w") as lock:  # holds both back until both are there
        fcntl.flock(lock, fcntl.LOCK_EX)
        writers = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
            for _ in range(2)
        ]
        assert [writer.stdout.readline() for writer in writers] == ["started\n"] * 2
        time.sleep(1)
        assert contents(folder) == {}
    made = []
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert writer.returncode == 0, err
        made.append(SoftLabelSet.model_validate_json(out.splitlines()[-1]))
    assert {one.folder for one in made} == {str(folder)}
    assert sorted(one.reused for one in made) == [0, 3]
    assert contents(folder) == contents(alone)
    assert set(json.loads((folder / "manifest.json").read_text())) == {"0", "1", "2"}
    assert soft_labels(tmp_path / "shared", 3).reused == 3


def test_a_task_of_another_size_has_labels_of_its_own_size(tmp_path):
    data: TaskData = small_task(train=30)
    made = soft_labels(tmp_path, 1, data=data)
    assert np.load(Path(made.folder) / "view-0000.npy").shape == (30, 3)
