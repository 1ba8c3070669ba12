"""Where disk or limit have no room: older sets go, fewer views are stored, or the teacher runs live."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers_images import Recorder, small_task
from helpers_teachers import ready, soft_labels, tiny_teacher
from torch import nn

import autokd.soft_labels.disk_plan
from autokd.cache.locks import Hold
from autokd.errors import DataError
from autokd.records import SoftLabelSet
from autokd.soft_labels.read import files_of

VIEW = 60 * 3 * 2  # bytes of a view of the small task, without its header


class Usage:
    """A disk."""

    def __init__(self, free: float) -> None:
        self.free = free


@pytest.fixture
def disk(monkeypatch):
    """Sets the bytes that the disk has free."""

    def disk(free: float) -> None:
        monkeypatch.setattr(autokd.soft_labels.disk_plan.shutil, "disk_usage", lambda _: Usage(free))

    return disk


def views(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("view-*.npy"))


def sets(cache: Path) -> set[str]:
    return {path.name for path in (cache / "softlabels").iterdir()}


def test_with_room_there_is_nothing_to_remark(tmp_path, disk):
    disk(5 * VIEW / 0.9 + 1)
    made = soft_labels(tmp_path, 5)
    assert (made.views, made.wanted, made.live, made.cycle, made.remarks) == (5, 5, False, 5, ())


def test_where_half_fit_these_are_written_and_seen_in_turn(tmp_path, disk):
    disk(3 * VIEW / 0.9 + 1)
    listener = Recorder()
    made = soft_labels(tmp_path, 5, listener=listener)
    assert (made.views, made.wanted, made.live, made.cycle) == (3, 5, False, 3)
    assert views(made.folder) == ["view-0000.npy", "view-0001.npy", "view-0002.npy"]
    (remark,) = made.remarks
    assert remark in listener.notes
    assert remark.startswith("Of 5 views of soft labels only 3 are stored: they need 0.0 MB more, and ")
    assert "later epochs see these again in turn, in distilled trainings and their twins" in remark
    assert made.total_seconds > 0
    assert files_of(made)[-1].name == "view-0002.json"


def test_where_not_even_half_fit_the_teacher_runs_live(tmp_path, disk):
    disk(2 * VIEW / 0.9 + 1)
    listener = Recorder()
    made = soft_labels(tmp_path, 5, listener=listener)
    assert (made.views, made.live, made.cycle) == (0, True, None)
    assert (made.seconds, made.total_seconds) == (0, 0)
    assert files_of(made) == []
    assert sets(tmp_path) == set(), "nothing is left behind"
    (remark,) = made.remarks
    assert listener.notes == [remark]
    assert remark.startswith("No soft labels are stored, as not even half of 5 views fit: ")
    assert "the teacher runs during every distilled training" in remark


def test_views_that_are_there_already_need_no_room(tmp_path, disk):
    soft_labels(tmp_path, 3)
    disk(0)
    assert soft_labels(tmp_path, 3).reused == 3
    fewer = soft_labels(tmp_path, 5)
    assert (fewer.views, fewer.reused) == (3, 3)
    assert soft_labels(tmp_path, 7).live


def set_of(seed: int, tmp_path: Path, **options) -> SoftLabelSet:
    """The soft labels of another teacher; 3 views."""
    return soft_labels(tmp_path, 3, tiny_teacher(seed), **options)


def gigabytes(folder: str) -> float:
    return sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e9


def test_the_limit_removes_the_least_recently_used_first(tmp_path):
    made = [set_of(seed, tmp_path) for seed in range(3)]
    for moment, one in zip((3e8, 1e8, 2e8), made, strict=True):
        os.utime(one.folder, (moment, moment))
    listener = Recorder()
    limit = sum(gigabytes(one.folder) for one in made) + 2 * VIEW / 1e9  # a set needs three views
    new = set_of(3, tmp_path, limit_gb=limit, listener=listener)
    assert not new.remarks
    assert sets(tmp_path) == {Path(one.folder).name for one in (made[0], made[2], new)}
    assert any(
        note.startswith(f"Removed the soft labels {Path(made[1].folder).name} (0.0 MB)") for note in listener.notes
    )
    os.utime(new.folder, (4e8, 4e8))
    os.utime(made[2].folder)
    newer = set_of(4, tmp_path, limit_gb=gigabytes(made[2].folder) + 3.1 * VIEW / 1e9)
    assert sets(tmp_path) == {Path(newer.folder).name, Path(made[2].folder).name}


def test_without_a_limit_nothing_is_removed(tmp_path, disk):
    kept = set_of(0, tmp_path)
    disk(10)
    assert set_of(1, tmp_path).live
    assert sets(tmp_path) == {Path(kept.folder).name}


def test_what_is_held_stays_and_so_does_what_would_not_help(tmp_path):
    made = [set_of(seed, tmp_path) for seed in range(2)]
    hold = Hold(Path(made[0].folder))
    tight = set_of(2, tmp_path, limit_gb=1.2 * gigabytes(made[0].folder))
    assert tight.live
    assert "where cache_limit_gb allows" in tight.remarks[0]
    assert sets(tmp_path) == {Path(one.folder).name for one in made}, "a set was removed in vain"
    hold.close()
    assert not set_of(2, tmp_path, limit_gb=1.2 * gigabytes(made[0].folder)).live
    assert len(sets(tmp_path)) == 1


def test_a_run_keeps_to_what_it_was_begun_with(tmp_path, disk):
    disk(3 * VIEW / 0.9 + 1)
    fewer = soft_labels(tmp_path, 5)
    disk(1e9)
    listener = Recorder()
    again = soft_labels(tmp_path, 5, settled=fewer, listener=listener)
    assert (again.views, again.cycle, again.remarks) == (3, 3, fewer.remarks)
    assert fewer.remarks[0] in listener.notes
    (Path(fewer.folder) / "view-0001.npy").unlink()
    disk(0)
    with pytest.raises(DataError, match=r"started with 3 views .* make room and go on with resume=True"):
        soft_labels(tmp_path, 5, settled=fewer)
    live = soft_labels(tmp_path, 8)
    disk(1e9)
    assert soft_labels(tmp_path, 8, settled=live) == live


def test_a_module_that_cannot_travel_is_told_before_any_work(tmp_path):
    from autokd.errors import TeacherError
    from autokd.soft_labels.live_teacher import LiveTeacher

    class Local(nn.Identity):
        """A class that no other process knows."""

    LiveTeacher.of(tiny_teacher().model, ((0.5,) * 3, (0.5,) * 3)).check_can_travel()
    with pytest.raises(TeacherError, match=r"cannot be sent to workers .*; give cache_dir on a larger disk"):
        LiveTeacher.of(Local(), ((0.5,) * 3, (0.5,) * 3)).check_can_travel()


def test_a_live_teacher_says_what_stored_soft_labels_say(tmp_path):
    import numpy as np
    import torch

    from autokd.data.views import make_view
    from autokd.soft_labels.live_teacher import LiveTeacher
    from autokd.soft_labels.read import SoftLabels

    data, teacher = small_task(), ready(tiny_teacher().model)
    made = soft_labels(tmp_path, 1, teacher, views_seed=5)
    positions = np.array([7, 3, 59])
    images = make_view(data.images.take(data.train[positions]), data.train[positions], data.task.transform, 5, 0)
    live = LiveTeacher.of(teacher.model, teacher.normalisation).on("cpu").logits(0, positions, images)
    stored = SoftLabels(Path(made.folder), 1, "cpu").logits(0, positions, images)
    assert live.dtype == stored.dtype == torch.float16
    assert torch.allclose(live, stored, atol=1e-2)
    student = torch.zeros(3, 3, requires_grad=True)
    nn.functional.kl_div(student.log_softmax(1), live.float().softmax(1), reduction="batchmean").backward()
    assert student.grad is not None
