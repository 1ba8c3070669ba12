"""Labels for some images only: which ones keep theirs, `unlabelled/`, and what students and teachers get to see."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from helpers_images import plain, prepared, settings, write_pattern_folder
from hypothesis import given
from hypothesis import strategies as st

from autokd.data.dataset import UNLABELLED
from autokd.data.hidden_labels import LEAST, label_remarks, labelled_share
from autokd.data.sources.image_folder import read_folder
from autokd.data.task import TaskData, open_task
from autokd.errors import ConfigError, DataError

LABELLED = {"train": {"a": 30, "b": 30, "c": 30}, "val": {"a": 8, "b": 8, "c": 8}, "test": {"a": 8, "b": 8, "c": 8}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pattern_folder(tmp_path / "pictures", LABELLED)


def add_unlabelled(folder: Path, count: int, below: str = "") -> None:
    target = folder / "unlabelled" / below
    target.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        plain(500 + number).save(target / f"{number:02}.png")


@given(st.lists(st.integers(1, 60), min_size=2, max_size=8), st.floats(0.005, 1.0), st.floats(0.005, 1.0))
def test_a_share_takes_of_every_class_and_a_smaller_one_is_part_of_a_larger(sizes, first, second):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    indices = np.arange(len(labels))
    small, large = (labelled_share(indices, labels, share) for share in sorted((first, second)))
    assert set(small) <= set(large)
    for label, size in enumerate(sizes):
        expected = max(min(LEAST, size), round(min(first, second) * size))
        assert (labels[small] == label).sum() == expected
    assert labelled_share(indices, labels, 1.0).tolist() == indices.tolist()


def test_students_see_some_labels_and_teachers_all(folder):
    whole = prepared(settings(data=str(folder)))
    data = prepared(settings(data=str(folder), label_fraction=0.1))
    assert (data.task.train, data.task.labelled, data.task.unlabelled) == (90, 9, 81)
    assert (data.labels[data.train] != UNLABELLED).sum() == len(data.labelled) == 9
    shown = data.train[data.labelled]
    assert data.labels[shown].tolist() == whole.labels[shown].tolist()
    for part in ("val", "test"):
        indices = getattr(data, part)
        assert data.labels[indices].tolist() == whole.labels[indices].tolist()
    taught = data.unhidden()
    assert taught.labels.tolist() == whole.labels.tolist()
    assert taught.train.tolist() == whole.train.tolist()


def test_tasks_with_other_labels_hidden_differ_but_share_what_belongs_to_all(folder):
    whole, tenth, fifth, all_ = (
        prepared(settings(data=str(folder), label_fraction=share)).task for share in (None, 0.1, 0.2, 1.0)
    )
    assert len({whole.fingerprint, tenth.fingerprint, fifth.fingerprint}) == 3
    assert {task.shared_fingerprint for task in (whole, tenth, fifth)} == {whole.fingerprint}
    assert all_ == whole


def test_what_is_said_of_hidden_labels(folder):
    assert label_remarks(prepared(settings(data=str(folder))).task) == []
    (remark,) = label_remarks(prepared(settings(data=str(folder), label_fraction=0.1)).task)
    assert "the labels of 9 of 90 training images" in remark
    assert "hidden from students alone, not from the teacher" in remark


@pytest.mark.parametrize("share", [0, 1.5, -0.1])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ConfigError, match=r"label_fraction=.* cannot be used: it must be"):
        settings(label_fraction=share)


def test_unlabelled_images_join_training_without_a_label(folder):
    before = prepared(settings(data=str(folder)))
    add_unlabelled(folder, 4)
    add_unlabelled(folder, 3, below="a")  # no class: whatever folders are in it
    parts = read_folder(folder)
    assert parts.classes == ("a", "b", "c")
    assert parts.unlabelled is not None
    assert parts.unlabelled.labels.tolist() == [UNLABELLED] * 7
    assert parts.unlabelled.names[0] == "unlabelled/00.png"
    data = prepared(settings(data=str(folder)))
    assert (data.task.train, data.task.labelled, data.task.unlabelled) == (97, 90, 7)
    assert data.labels[data.train][-7:].tolist() == [UNLABELLED] * 7
    for part in ("val", "test"):
        assert getattr(data, part).tolist() == getattr(before, part).tolist()
        assert UNLABELLED not in data.labels[getattr(data, part)]
    assert data.images.take(data.train[-7:]).float().std(dim=(1, 2, 3)).max() < 150
    assert data.unhidden().train.tolist() == before.train.tolist()
    (remark,) = label_remarks(data.task)
    assert "hidden" not in remark
    assert data.task.fingerprint != before.task.fingerprint


def test_unlabelled_images_are_the_pictures_of_their_files(folder):
    before = prepared(settings(data=str(folder)))
    add_unlabelled(folder, 2)
    for options in ({}, {"resident_gb": 1e-9, "loader_workers": 0}):
        data = prepared(settings(data=str(folder), **options))
        for number, pixels in enumerate(data.images.take(data.train[-2:])):
            colour = np.array(plain(500 + number).getpixel((0, 0)))
            assert (pixels[:, 10, 10].numpy() == colour).all()
        same = data.images.take(data.val) == before.images.take(before.val)
        assert bool(same.all())


def test_validation_and_test_are_never_cut_from_unlabelled_images(tmp_path):
    write_pattern_folder(tmp_path, {"train": {"a": 90, "b": 90}})
    before = prepared(settings(data=str(tmp_path)))
    add_unlabelled(tmp_path, 50)
    data = prepared(settings(data=str(tmp_path)))
    for part in ("val", "test"):
        assert getattr(data, part).tolist() == getattr(before, part).tolist()
    assert data.train.tolist() == [*before.train, *range(180, 230)]


def test_hidden_labels_and_unlabelled_images_go_together(folder):
    add_unlabelled(folder, 10)
    data = prepared(settings(data=str(folder), label_fraction=0.5))
    assert (data.task.train, data.task.labelled, data.task.unlabelled) == (100, 45, 55)
    assert len(data.unhidden().train) == 90


def test_an_unlabelled_image_that_cannot_be_read_is_refused_or_left_out(folder):
    add_unlabelled(folder, 5)
    (folder / "unlabelled" / "02.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"unlabelled/02.png in .* cannot be read"):
        prepared(settings(data=str(folder)))
    data = prepared(settings(data=str(folder), on_corrupt="skip"))
    assert data.task.skipped == ("unlabelled/02.png",)
    assert (data.task.train, data.task.labelled) == (94, 90)
    numbers = data.images.take(data.train[-4:])[:, :, 5, 5].tolist()
    assert numbers == [list(plain(500 + i).getpixel((0, 0))) for i in (0, 1, 3, 4)]


def test_an_empty_unlabelled_folder_is_as_good_as_none(folder):
    before = prepared(settings(data=str(folder))).task
    (folder / "unlabelled" / "deep").mkdir(parents=True)
    assert read_folder(folder).unlabelled is None
    assert prepared(settings(data=str(folder))).task == before


def test_unlabelled_images_beside_class_folders_are_refused(tmp_path):
    write_pattern_folder(tmp_path, {"": {"a": 3, "b": 3, "unlabelled": 3}})
    with pytest.raises(DataError, match=r"unlabelled has no train/ next to it; put the class folders into .*/train"):
        read_folder(tmp_path)
    write_pattern_folder(tmp_path / "moved", {"train": {"a": 3, "b": 3, "unlabelled": 3}})
    assert read_folder(tmp_path / "moved").classes == ("a", "b", "unlabelled")


def test_a_task_reads_alike_whatever_stands_in_place_of_hidden_labels(folder):
    data = prepared(settings(data=str(folder), label_fraction=0.1))
    with np.load(data.folder / "arrays.npz") as arrays:
        content = dict(arrays)
    content["labels"][content["hidden"]] = 7
    np.savez(data.folder / "arrays.npz", **content)
    again: TaskData = open_task(data.folder)
    assert dataclasses.replace(again, images=data.images).labels.tolist() == data.labels.tolist()
