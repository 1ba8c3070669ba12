"""The three splits: disjoint, stratified, always the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autokd.data.dataset import Part, Parts
from autokd.data.splits import CUT_LIMIT, cut, make_splits
from autokd.errors import DataError


def part(labels) -> Part:
    labels = np.asarray(labels, dtype=np.int64)
    return Part([f"image {i}" for i in range(len(labels))], labels, lambda i: None)


def parts(train, val=None, test=None, classes=None) -> Parts:
    names = tuple(str(i) for i in range(classes or int(max(train)) + 1))
    return Parts(
        "made up",
        names,
        part(train),
        None if val is None else part(val),
        None if test is None else part(test),
        None,
    )


@given(st.lists(st.integers(1, 300), min_size=2, max_size=12), st.floats(0.05, 0.95), st.integers(0, 2**32))
def test_cuts_are_disjoint_stratified_and_leave_every_class_in_training(sizes, share, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(seed).shuffle(labels)
    everything = np.arange(len(labels))
    rest, chosen = cut(everything, labels, share, len(labels))
    assert sorted([*rest, *chosen]) == everything.tolist()
    for label, size in enumerate(sizes):
        assert (labels[rest] == label).any()
        assert abs((labels[chosen] == label).sum() - share * size) <= 1
    again = cut(everything, labels, share, len(labels))
    assert (again[0] == rest).all()
    assert (again[1] == chosen).all()


@pytest.mark.parametrize("val", [None, 25])
@pytest.mark.parametrize("test", [None, 30])
def test_what_is_shipped_is_kept_and_the_rest_is_cut_from_training(val, test):
    own = {name: np.arange(n) % 4 for name, n in (("val", val), ("test", test)) if n}
    splits = make_splits(parts(np.arange(400) % 4, **own))
    together = np.concatenate([splits.train, splits.val, splits.test])
    assert sorted(together.tolist()) == list(range(400 + (val or 0) + (test or 0)))
    assert len(splits.val) == (val or 60)
    assert len(splits.test) == (test or 100)
    assert set(splits.train.tolist()) <= set(range(400))
    assert splits.test_is_separate is (test is not None)
    if val:
        assert splits.val.tolist() == list(range(400, 425))
    assert ("test (100 images)" in splits.note.lower()) is (test is None)
    assert ("validation (60 images)" in splits.note.lower()) is (val is None)


def test_a_cut_is_limited_for_large_data():
    labels = np.arange(200_000) % 10
    _, chosen = cut(np.arange(200_000), labels, 0.25, 200_000)
    assert len(chosen) == CUT_LIMIT


def test_a_class_with_a_single_image_stays_in_training():
    splits = make_splits(parts([*(np.arange(300) % 2), 2]))
    assert 300 in splits.train


def test_a_class_without_training_images_is_refused_where_it_is_used():
    with pytest.raises(DataError, match="class '1' has images outside"):
        make_splits(parts([0, 2] * 100, test=[0, 1, 2] * 20, classes=3))


def test_an_unused_name_keeps_its_place():
    splits = make_splits(parts([0, 2] * 200, classes=3))
    assert set(splits.labels.tolist()) == {0, 2}


def counted(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


@pytest.mark.parametrize("counts", [(10_000, 1), (1, 10_000), (10_000, 1, 1), (10_000, 60)])
def test_where_one_class_is_nearly_everything_the_classes_are_named(counts):
    most, other = ("1", "0") if counts[0] == 1 else ("0", "1")
    with pytest.raises(DataError, match=rf"validation images .* class '{most}', so .* nothing about '{other}'.*; add"):
        make_splits(parts(counted(*counts)))


@pytest.mark.parametrize("name", ["val", "test"])
def test_a_part_of_one_class_only_is_refused(name):
    with pytest.raises(DataError, match=r"30 of 30 .* images of made up are of the class '1'"):
        make_splits(parts(counted(200, 200), **{name: [1] * 30}))


def test_uneven_classes_are_accepted_up_to_a_hundred_to_one():
    splits = make_splits(parts(counted(9_900, 100)))
    assert set(splits.labels[splits.val].tolist()) == {0, 1}


def test_one_class_is_refused():
    with pytest.raises(DataError, match="one class only"):
        make_splits(parts([1] * 200, classes=2))


# ---- identical images ------------------------------------------------------------------------------------------


def test_identical_images_lie_on_one_side_of_every_cut():
    labels, keys = np.tile(np.arange(300) % 3, 3), np.tile(np.arange(300, dtype=np.uint64), 3)
    splits = make_splits(parts(labels), keys)
    sides = [set(keys[part].tolist()) for part in (splits.train, splits.val, splits.test)]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert [len(part) for part in (splits.train, splits.val, splits.test)] == [540, 135, 225]
    assert all(len(set(np.bincount(labels[part]).tolist())) == 1 for part in (splits.train, splits.val, splits.test))


def test_an_image_in_two_classes_is_on_one_side_too():
    labels, keys = np.arange(400) % 2, np.repeat(np.arange(200, dtype=np.uint64), 2)
    splits = make_splits(parts(labels), keys)
    assert not set(keys[splits.train].tolist()) & set(keys[np.concatenate([splits.val, splits.test])].tolist())


def test_without_identical_images_the_splits_are_as_they_were():
    labels = np.arange(500) % 5
    plain, keyed = make_splits(parts(labels)), make_splits(parts(labels), np.arange(500, dtype=np.uint64)[::-1].copy())
    for name in ("train", "val", "test"):
        assert (getattr(plain, name) == getattr(keyed, name)).all()


def test_an_image_that_is_there_very_often_stays_in_training():
    labels = np.arange(500) % 2
    keys = np.where(np.arange(500) < 100, 0, np.arange(500)).astype(np.uint64)
    splits = make_splits(parts(labels), keys)
    assert set(range(100)) <= set(splits.train.tolist())
    assert len(splits.test) == 100
