"""Images of strangers: no program is run, nothing waits, memory is bounded, and one sentence says what is wrong."""

from __future__ import annotations

import io
import os
import random
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers_images import pattern, prepared, settings, write_pattern_folder
from hostile_images import EPS, NOT_IMAGES, huge_png, thin
from PIL import Image

from autokd.data.image_store import MOST_STRETCHED, to_pixels
from autokd.data.open_image import FORMATS, UnreadableImage, open_image
from autokd.data.sources.python_pair import as_image
from autokd.data.streaming import FileReader, decode
from autokd.errors import DataError


def folder_with(root: Path, kind: str) -> Path:
    """Two classes, and next to their images one that is none."""
    write_pattern_folder(root, {"": {"a": 100, "b": 100}})
    NOT_IMAGES[kind][0](root / "a" / "0.png")
    return root


# ---- what is no image -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NOT_IMAGES)
def test_it_is_refused_in_a_moment_and_the_reason_is_said(tmp_path, kind):
    make, why = NOT_IMAGES[kind]
    make(tmp_path / "x.png")
    start = time.monotonic()
    with pytest.raises(UnreadableImage, match=why) as caught:
        open_image(tmp_path / "x.png")
    assert time.monotonic() - start < 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["EPS, for which Pillow runs Ghostscript", "a pipe", "a square of 13,000 px"])
def test_a_search_refuses_it_in_one_sentence_or_skips_it(tmp_path, kind):
    root = folder_with(tmp_path / "images", kind)
    with pytest.raises(DataError, match=rf"^a/0\.png in .* cannot be read .*\({NOT_IMAGES[kind][1]}.*\); repair or"):
        prepared(settings(data=str(root)))
    assert prepared(settings(data=str(root), on_corrupt="skip")).task.skipped == ("a/0.png",)


@pytest.fixture
def ghostscript(tmp_path, monkeypatch) -> Path:
    """The mark that a program called gs would leave."""
    mark, program = tmp_path / "mark", tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # looked for again
    return mark


@pytest.mark.parametrize("name", ["x.png", "x.eps"])
def test_no_program_is_run(tmp_path, ghostscript, name):
    (tmp_path / name).write_bytes(EPS)
    for source in (tmp_path / name, EPS):
        with pytest.raises(UnreadableImage):
            open_image(source)
    assert not ghostscript.exists()


def test_a_file_that_becomes_a_pipe_while_training_is_one_failure(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "paths").write_bytes(os.fsencode(tmp_path / "x.png") + b"\0")
    np.save(tmp_path / "stamps.npy", np.zeros((1, 2), dtype=np.int64))
    _, failures = decode(FileReader(tmp_path / "paths", tmp_path / "stamps.npy", 32, "bicubic"), np.array([0]))
    assert failures == [(0, "it is not a regular file")]


# ---- what is one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_the_content_tells_the_format_whatever_the_name_says(tmp_path, kind):
    image = Image.fromarray(pattern(0, 0))
    image.save(tmp_path / "x.jpg", kind)
    (tmp_path / "link.png").symlink_to(tmp_path / "x.jpg")
    expected = np.asarray(Image.open(tmp_path / "x.jpg").convert("RGB"))
    for source in (tmp_path / "x.jpg", tmp_path / "link.png", (tmp_path / "x.jpg").read_bytes()):
        assert (np.asarray(open_image(source).convert("RGB")) == expected).all()


def test_a_photo_of_a_phone_with_a_second_picture_in_it_is_a_jpeg(tmp_path):
    first, second = Image.fromarray(pattern(0, 0)), Image.fromarray(pattern(1, 0))
    first.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[second])
    assert open_image(tmp_path / "x.jpg").size == (32, 32)


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_files_fail_in_the_expected_way_only(kind):
    buffer = io.BytesIO()
    Image.fromarray(pattern(0, 0)).save(buffer, kind)
    chance = random.Random(kind)  # noqa: S311
    for _ in range(300):
        content = bytearray(buffer.getvalue())
        for _ in range(chance.randint(1, 8)):
            place = int(len(content) * chance.random() ** 3)  # most often in the header
            content[place] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        del content[chance.randint(len(content) // 2, 2 * len(content)) :]
        try:
            to_pixels(open_image(bytes(content)), 32, "bicubic")
        except UnreadableImage as error:
            assert "\n" not in str(error)


# ---- memory -----------------------------------------------------------------------------------------------------


def test_a_bomb_is_an_error_and_no_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableImage, match="pixels"):
            open_image(huge_png(10_000, 10_000))


def test_an_image_from_python_is_measured_too():
    with pytest.raises(UnreadableImage, match="9,000 x 10,000 pixels"):
        as_image(Image.new("1", (9_000, 10_000)))


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_very_long_image_the_ends_are_cut_before_it_is_resized(tmp_path, turned):
    thin(tmp_path / "x.png")
    image = open_image(tmp_path / "x.png")
    image.putpixel((32_499, 0), (0, 255, 0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels = to_pixels(image.transpose(Image.Transpose.ROTATE_90) if turned else image, 256, "bilinear")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
    assert pixels.shape == (3, 256, 256)
    assert pixels[1].max() > 200, "the centre is kept"


def before_this_limit(image: Image.Image, size: int) -> np.ndarray:
    """`to_pixels` of RGB as it always was."""
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    resized = image if image.size == (width, height) else image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size))).transpose(2, 0, 1)


@pytest.mark.parametrize("shape", [(64, 64), (64, 48), (37, 111), (500, 33), (20, 20 * MOST_STRETCHED)])
def test_an_ordinary_image_gives_the_very_same_bytes_as_without_the_limit(shape):
    noise = np.random.default_rng(list(shape)).integers(0, 256, (*shape, 3)).astype(np.uint8)
    image = Image.fromarray(noise)
    for size in (32, 56):
        assert (to_pixels(image, size, "bicubic") == before_this_limit(image, size)).all()


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_sixteen_bits_give_the_very_same_bytes_as_ever(mode):
    deep = np.random.default_rng(0).integers(0, 65_536, (32, 32)).astype(np.uint16 if mode == "I;16" else np.int32)
    expected = (deep.astype(np.uint32) >> 8).astype(np.uint8)
    assert (to_pixels(Image.fromarray(deep), 32, "bicubic") == expected).all()


# ---- upright ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_noted(tmp_path: Path, orientation: int) -> None:
    """A picture that is dark on top, stored in each of the eight ways."""
    upright = Image.new("L", (30, 20), 200)
    upright.paste(20, (0, 0, 30, 5))
    upright.paste(90, (0, 0, 5, 20))
    undo = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # Image.Transpose that brings the upright picture to what is stored
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(tmp_path / "photo.png", exif=exif)
    assert np.array_equal(np.asarray(open_image(tmp_path / "photo.png")), np.asarray(upright))


def test_odd_metadata_turn_nothing(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "photo.jpg", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert open_image(tmp_path / "photo.jpg").size == (30, 20)
