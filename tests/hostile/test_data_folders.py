"""Folders of strangers: links in circles, barred ways, odd names, names of nothing. One sentence each, no traceback."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeParts
from helpers_images import plain, prepared, settings, write_pattern_folder

from autokd.data.dataset import PackedNames, Part
from autokd.data.sources.image_folder import read_folder
from autokd.data.sources.open import read_parts, refuse_among_images
from autokd.data.sources.python_pair import class_names
from autokd.data.streaming import PartsReader, StreamedImages
from autokd.errors import DataError
from autokd.formatting import escaped
from autokd.naming import Names, naming
from autokd.pipeline.search import run_search

ODD = "line\nbreak \x1b[31m \u202egnp"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pattern_folder(tmp_path / "images", {"": {"a": 100, "b": 100}})


def refused(data: str | Path) -> str:
    """The sentence, which can be printed anywhere and has no odd characters."""
    with pytest.raises(DataError) as caught:
        prepared(settings(data=str(data)))
    text = str(caught.value)
    assert text == escaped(text)
    assert len(text) < 800
    text.encode("utf-8")
    return text


# ---- links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["a/again", "a/deeper/again", "a/whole", "whole"])
def test_a_link_back_to_a_folder_that_holds_it_is_named(folder, place):
    (folder / place).parent.mkdir(exist_ok=True)
    (folder / place).symlink_to(folder if "whole" in place else folder / "a")
    text = refused(folder)
    assert text.startswith(str(folder / place))
    assert text.endswith("leads back to a folder that holds it; remove this link")


def test_a_link_to_another_folder_is_no_circle_and_two_links_to_it_count_once(folder, tmp_path):
    write_pattern_folder(tmp_path / "more", {"": {"x": 3}})
    for name in ("one", "two"):
        (folder / "a" / name).symlink_to(tmp_path / "more")
    (folder / "b" / "one").symlink_to(tmp_path / "more")
    assert len(read_folder(folder).train) == 206


def test_a_few_links_do_not_make_a_million_ways(folder, tmp_path):
    steps = [tmp_path / f"step{i}" for i in range(30)]
    for step in steps:
        step.mkdir()
    for here, below in pairwise(steps):
        for name in ("x", "y"):
            (here / name).symlink_to(below)
    plain(1).save(steps[-1] / "x.png")
    (folder / "a" / "first").symlink_to(steps[0])
    assert len(read_folder(folder).train) == 201


def test_links_to_themselves_are_no_folders(folder):
    for name in ("me", "me.png"):
        (folder / "a" / name).symlink_to(folder / "a" / name)
    (folder / "me").symlink_to(folder / "me")
    assert "a/me.png in" in refused(folder)
    assert prepared(settings(data=str(folder), on_corrupt="skip")).task.skipped == ("a/me.png",)


def test_folders_may_be_deep(folder):
    deep = folder / "a"
    while len(str(deep)) < 4_000:  # deeper than Python calls itself
        deep = deep / "d"
        deep.mkdir()
    plain(1).save(deep / "x.png")
    try:
        assert len(read_folder(folder).train) == 201
    finally:  # pytest could not remove it
        (deep / "x.png").unlink()
        while deep != folder / "a":
            deep.rmdir()
            deep = deep.parent


# ---- barred ways ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("barred", [".", "a", "a/deeper"])
def test_a_folder_without_permission_is_named(folder, monkeypatch, barred):
    (folder / "a" / "deeper").mkdir()
    scandir, where = os.scandir, folder / barred

    def barring(path):  # tests may run as root, who is never barred
        if str(path) == str(where):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", barring)
    assert refused(folder) == f"{where} cannot be listed (Permission denied); allow reading it, or take it out"


def test_an_image_without_permission_is_like_a_corrupt_one(folder, monkeypatch):
    victim, stat = str(folder / "a" / "007.png"), os.stat

    def barring(path, *args, **kwargs):
        if path == victim:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return stat(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", barring)
    text = refused(folder)
    assert "a/007.png in" in text
    assert "(Permission denied)" in text


# ---- odd names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ODD.encode(), b"\xff\xfe", "\u2028".encode(), b"tab\t"])
def test_a_class_whose_name_cannot_be_shown_is_refused(folder, name):
    os.rename(os.fsencode(folder / "b"), os.fsencode(folder) + b"/" + name)  # noqa: PTH104
    text = refused(folder)
    assert f"'{escaped(os.fsdecode(name))}'" in text
    assert text.endswith("has characters that cannot be shown; rename it")


@pytest.mark.parametrize(
    "name", ["Straße", "猫", "قطة", "नमस्ते", "a b", "ideographic\u3000space", "👩\u200d🚀", "<b>", "'", "a\\nb"]
)
def test_a_class_in_any_language_is_welcome(folder, name):
    (folder / "b").rename(folder / name)
    assert set(read_folder(folder).classes) == {"a", name}


@pytest.mark.parametrize("name", [ODD.encode(), b"\xff\xfe"])
def test_the_name_of_an_image_is_escaped(folder, name):
    with open(os.fsencode(folder) + b"/a/" + name + b".png", "wb") as file:  # noqa: PTH123
        file.write(b"no image")
    shown = f"a/{escaped(os.fsdecode(name))}.png"
    assert refused(folder).startswith(f"{shown} in ")
    data = prepared(settings(data=str(folder), on_corrupt="skip"))
    assert data.task.skipped == (shown,)
    assert data.task.model_dump_json()


def test_the_name_of_an_image_that_vanishes_while_training_is_escaped():
    text = np.frombuffer(b"/nowhere/\xff\n.png\0", dtype=np.uint8)
    part = Part(PackedNames(text), np.array([0]), lambda i: Path("/nowhere/x").read_bytes())
    with pytest.raises(DataError, match=r"^the image /nowhere/\\udcff\\n\.png is no longer as it was"):
        StreamedImages(PartsReader([part], 8, "bicubic"), "cpu", 0).take(np.array([0]))


@pytest.mark.parametrize("name", [ODD.encode(), b"\xff\xfe"])
def test_data_whose_name_cannot_be_shown_are_refused(folder, name):
    path = os.fsdecode(os.fsencode(folder.parent) + b"/" + name)
    folder.rename(path)
    assert refused(path).endswith("has characters that cannot be shown; rename it")


def test_data_with_a_zero_byte_are_refused():
    refuse_among_images("a\0b", {"output": Path("run")})  # leaves it to what reads the data
    assert "cannot be shown" in refused("a\0b")


def test_class_names_from_python_are_escaped():
    class Given:
        classes = (ODD, "\udcff")

    assert class_names(Given(), np.array([0, 1])) == (escaped(ODD), "\\udcff")


# ---- names of nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "--data '' names nothing; give an image folder, digits, torch/NAME or hfds/NAME"),
        ("  ", "--data '  ' names nothing; give an image folder, digits, torch/NAME or hfds/NAME"),
        ("hfds/", "--data hfds/ names no data set; give one of the Hugging Face hub: hfds/NAME"),
        ("hfds//", "--data hfds// names no data set; give one of the Hugging Face hub: hfds/NAME"),
        ("nothing", "--data nothing is not a folder; give an image folder, digits, torch/NAME or hfds/NAME"),
    ],
)
def test_an_empty_name_is_refused(folder, monkeypatch, data, sentence):
    monkeypatch.chdir(folder)  # which would be read for an empty name
    with naming(Names("flag")), pytest.raises(DataError) as caught:
        read_parts(data, None)
    assert str(caught.value) == sentence


def test_an_empty_name_of_torchvision_lists_those_that_there_are():
    assert refused("torch/").startswith("torch/ is not known; choose torch/cifar10, ")


def test_a_name_that_is_too_long_is_shortened():
    assert "aaa...aaa" in refused("a" * 5_000)


# ---- what a search writes ---------------------------------------------------------------------------------------


def searched(space_file: Path, data: Path, cache: Path, output: Path | None) -> str | None:
    """The sentence that refuses such a search, which then leaves nothing; None for one that ends."""
    options = {"teacher": "resnet10t", "space": str(space_file), "epochs": 6, "trials": 8}
    before = sorted(data.rglob("*"))
    try:
        run_search(settings(**options, data=str(data), cache_dir=cache), output=output, parts=FakeParts())
    except DataError as error:
        assert sorted(data.rglob("*")) == before
        return str(error)
    return None


@pytest.mark.parametrize("place", ["", "run", "a/run", "../link/run"])
def test_a_run_among_the_images_is_refused(folder, tmp_path, space_file, place):
    (tmp_path / "link").symlink_to(folder)
    output = folder / place
    assert searched(space_file, folder, tmp_path / "cache", output) == (
        f"output='{output}' is among the images of {folder}, where the next search would look for images in it; "
        "choose a folder outside"
    )


def test_so_is_the_usual_place_of_runs_where_that_is_among_them(folder, tmp_path, space_file, monkeypatch):
    monkeypatch.chdir(folder)
    assert "output='reports/resnet10t" in (searched(space_file, Path(), tmp_path / "cache", None) or "")


def test_so_is_the_cache(folder, tmp_path, space_file):
    assert "cache_dir=" in (searched(space_file, folder, folder / "cache", tmp_path / "run") or "")


def test_next_to_the_parts_of_a_data_set_a_run_is_welcome(tmp_path, space_file):
    root = write_pattern_folder(tmp_path / "images", {"train": {"a": 2, "b": 2}, "val": {"a": 1}})
    assert "among" in (searched(space_file, root, tmp_path / "cache", root / "val" / "run") or "")
    assert searched(space_file, root, root / "cache", root / "run") is None
    assert read_folder(root).classes == ("a", "b")
