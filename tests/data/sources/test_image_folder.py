"""Image folders: classes, parts, formats, corrupt files, and what is kept between two looks at the same folder."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from helpers_images import Recorder, pattern, plain, prepared, settings, write_pattern_folder
from PIL import Image

import autokd.data.streaming
from autokd.data.image_store import to_pixels
from autokd.data.open_image import open_image
from autokd.data.sources.image_folder import read_folder
from autokd.data.streaming import StreamedImages
from autokd.data.task import choose_transform, open_task, prepare_task
from autokd.errors import DataError
from autokd.progress import Silent


def write_plain_folder(root: Path, counts: dict[str, int]) -> list[Path]:
    """`counts`: "part/class" -> number of images, each of one colour: its place in the list of all paths returned."""
    paths = []
    for place, count in counts.items():
        (root / place).mkdir(parents=True)
        for number in range(count):
            path = root / place / f"{number:03}.png"
            plain(len(paths)).save(path)
            paths.append(path)
    return paths


def test_classes_are_in_natural_order(tmp_path):
    write_pattern_folder(tmp_path, {"train": {"10": 2, "1": 2, "2": 2}})
    parts = read_folder(tmp_path)
    assert parts.classes == ("1", "2", "10")
    assert [Path(name).parent.name for name in parts.train.names] == ["1", "1", "2", "2", "10", "10"]
    assert parts.train.labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("names", [("01", "1"), ("A", "a"), ("class 7", "Class 7")])
def test_names_that_are_alike_naturally_have_one_order_whatever_the_disk_says(tmp_path, monkeypatch, names):
    write_pattern_folder(tmp_path, {"": dict.fromkeys(names, 1)})
    orders = []
    scandir = os.scandir
    for reverse in (False, True):
        listed = sorted(scandir(tmp_path), key=lambda entry: entry.name, reverse=reverse)
        monkeypatch.setattr(
            os, "scandir", lambda path, listed=listed: listed if str(path) == str(tmp_path) else scandir(path)
        )
        orders.append(read_folder(tmp_path).classes)
    assert orders[0] == orders[1]


def test_a_class_missing_from_val_shifts_no_label(tmp_path):
    write_pattern_folder(tmp_path, {"train": {"a": 3, "b": 3, "c": 3}, "val": {"a": 2, "c": 2}, "test": {"b": 1}})
    parts = read_folder(tmp_path)
    assert parts.val.labels.tolist() == [0, 0, 2, 2]
    assert parts.test.labels.tolist() == [1]


def test_synonyms_and_class_folders_alone(tmp_path):
    write_pattern_folder(tmp_path / "one", {"training": {"a": 2, "b": 2}, "validation": {"a": 1}, "testing": {"b": 1}})
    parts = read_folder(tmp_path / "one")
    assert (len(parts.train), len(parts.val), len(parts.test)) == (4, 1, 1)
    write_pattern_folder(tmp_path / "two", {"": {"a": 2, "b": 2}})
    parts = read_folder(tmp_path / "two")
    assert (len(parts.train), parts.val, parts.test) == (4, None, None)


def test_images_below_a_class_folder_and_odd_capitals_count(tmp_path):
    write_pattern_folder(tmp_path, {"": {"a": 2, "b": 2}})
    (tmp_path / "a" / "deeper").mkdir()
    Image.fromarray(pattern(0, 9)).save(tmp_path / "a" / "deeper" / "X.PNG", "PNG")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    assert read_folder(tmp_path).train.labels.tolist() == [0, 0, 0, 1, 1]


def refused(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_folder(root)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_folders_that_cannot_be_used_are_refused_in_a_sentence(tmp_path):
    assert "is not a folder" in refused(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "holds no images" in refused(tmp_path / "empty")
    write_pattern_folder(tmp_path / "single", {"train": {"cat": 3}})
    assert "one class only (cat)" in refused(tmp_path / "single")
    write_pattern_folder(tmp_path / "headless", {"test": {"a": 2, "b": 2}})
    assert "has no train/" in refused(tmp_path / "headless")
    write_pattern_folder(tmp_path / "hollow", {"train": {"a": 2, "b": 2}, "val": {}})
    (tmp_path / "hollow" / "val").mkdir()
    assert "holds no images" in refused(tmp_path / "hollow")


def test_a_class_that_only_test_has_is_refused_by_name(tmp_path):
    write_pattern_folder(tmp_path, {"train": {"a": 2, "b": 2}, "test": {"a": 1, "dragon": 1}})
    assert "'dragon'" in refused(tmp_path)


def test_too_few_images_to_compare_models_are_refused(tmp_path):
    write_pattern_folder(tmp_path, {"": {"a": 10, "b": 10}})
    with pytest.raises(DataError, match="too few to compare"):
        prepared(settings(data=str(tmp_path)))


# ---- formats ----------------------------------------------------------------------------------------------------


def saved(tmp_path: Path, image: Image.Image, name: str, **options) -> np.ndarray:
    image.save(tmp_path / name, **options)
    return to_pixels(open_image(tmp_path / name), 16, "bicubic")


def test_grey_colour_palette_and_deep_images_become_rgb(tmp_path):
    ramp = np.tile(np.arange(0, 256, 16, dtype=np.uint8), (16, 1))
    three = np.broadcast_to(ramp, (3, 16, 16))
    assert (saved(tmp_path, Image.fromarray(ramp), "grey.png") == three).all()
    assert (saved(tmp_path, Image.fromarray(ramp.astype(np.uint16) * 256 + 255), "deep.png") == three).all()
    assert (saved(tmp_path, Image.fromarray(ramp).convert("LA"), "grey-alpha.png") == three).all()

    colour = pattern(1, 0, 16)
    assert (saved(tmp_path, Image.fromarray(colour), "colour.png") == colour.transpose(2, 0, 1)).all()
    with_alpha = np.dstack([colour, np.full((16, 16), 7, np.uint8)])
    assert (saved(tmp_path, Image.fromarray(with_alpha), "alpha.png") == colour.transpose(2, 0, 1)).all()

    palette = Image.fromarray((ramp // 64).astype(np.uint8), "P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    expected = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)[ramp // 64].transpose(2, 0, 1)
    assert (saved(tmp_path, palette, "palette.png") == expected).all()
    assert (saved(tmp_path, palette, "see-through.png", transparency=b"\x00\x80\xff\xff") == expected).all()

    near = saved(tmp_path, Image.fromarray(colour).resize((64, 64), 0), "photo.jpg", quality=95, subsampling=0)
    assert np.abs(near.astype(int) - colour.transpose(2, 0, 1)).mean() < 12


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_non_square_image_the_centre_is_kept(turned):
    stripes = np.zeros((8, 24, 3), np.uint8)
    stripes[:, 8:16] = 200  # the middle third
    picture = stripes.transpose(1, 0, 2) if turned else stripes
    assert (to_pixels(Image.fromarray(np.ascontiguousarray(picture)), 8, "bicubic") == 200).all()


def test_an_image_is_resized_by_its_shorter_side():
    wide = Image.fromarray(np.repeat(pattern(0, 0, 64), 2, axis=1))
    assert to_pixels(wide, 20, "bilinear").shape == (3, 20, 20)


def test_image_size_is_rounded_up_from_small_images_and_never_above_the_teachers_own(tmp_path):
    for name, size in {"small": 28, "large": 300}.items():
        for place in ("a", "b"):
            (tmp_path / name / place).mkdir(parents=True)
            plain(1, (size, size)).save(tmp_path / name / place / "0.png")
    small, large = read_folder(tmp_path / "small"), read_folder(tmp_path / "large")
    assert choose_transform(settings(), small, 224).image_size == 64  # shown at twice their size
    assert choose_transform(settings(), small, 32).image_size == 32
    assert choose_transform(settings(), small, 224, trained=True).image_size == 32
    assert choose_transform(settings(), small, 224).crop == "padded"
    assert choose_transform(settings(), large, 224).image_size == 224
    assert choose_transform(settings(), large, 224).crop == "resized"
    assert choose_transform(settings(image_size=48, flip=False), large, 224).model_dump() == {
        "image_size": 48,
        "crop": "padded",
        "flip": False,
        "interpolation": "bicubic",
        "colour": 0.0,
        "erase": 0.0,
        "trivial_augment": False,
    }


def test_only_photographs_are_jittered_unless_told_otherwise(tmp_path):
    parts = read_folder(write_pattern_folder(tmp_path, {"": {"a": 1, "b": 1}}))
    small, large = choose_transform(settings(), parts, 224), choose_transform(settings(image_size=96), parts, 224)
    assert (small.colour, small.erase, large.colour, large.erase) == (0.0, 0.0, 0.2, 0.0)
    asked = choose_transform(settings(image_size=96, colour=0.0, erase=0.25), parts, 224)
    assert (asked.colour, asked.erase) == (0.0, 0.25)


def test_jpeg_and_png_are_mixed_freely(tmp_path):
    write_pattern_folder(tmp_path, {"train": {"a": 30, "b": 30}}, ".jpg")
    write_pattern_folder(tmp_path, {"val": {"a": 12, "b": 12}, "test": {"a": 11, "b": 11}}, ".png")
    data = prepared(settings(data=str(tmp_path)))
    assert (data.task.train, data.task.val, data.task.test) == (60, 24, 22)
    assert data.task.test_is_separate
    assert "data set's own" in data.task.split_note


# ---- corrupt images ---------------------------------------------------------------------------------------------

STREAM = 1e-9  # GB: no image may be kept decoded
COUNTS = {"train/a": 30, "train/b": 25, "val/a": 14, "val/b": 12, "test/a": 13, "test/b": 15}


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"not an image", "cut": content[: len(content) // 2]}[how])


@pytest.mark.parametrize("how", ["empty", "text", "cut"])
def test_a_corrupt_image_is_named_and_refused(tmp_path, how):
    paths = write_plain_folder(tmp_path / "images", COUNTS)
    damage(paths[31], how)
    with pytest.raises(DataError, match=r"train/b/001\.png in .*on_corrupt='skip'") as caught:
        prepared(settings(data=str(tmp_path / "images")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("victims", [[0], [29, 30], [54, 55], [0, 17, 30, 55, 70, 81, 82, 108], []])
def test_a_skipped_image_shifts_no_neighbour(tmp_path, victims, resident):
    paths = write_plain_folder(tmp_path / "images", COUNTS)
    for number, victim in enumerate(victims):
        damage(paths[victim], ("empty", "text", "cut")[number % 3])
    limit = 4.0 if resident else STREAM
    data = prepared(settings(data=str(tmp_path / "images"), on_corrupt="skip", resident_gb=limit))

    assert isinstance(data.images, StreamedImages) is not resident
    kept = np.concatenate([data.train, data.val, data.test])
    assert sorted(kept.tolist()) == [i for i in range(len(paths)) if i not in victims]
    assert data.task.skipped == tuple(str(paths[i].relative_to(tmp_path / "images")) for i in victims)
    for name in ("train", "val", "test"):
        indices = getattr(data, name)
        pixels = data.images.take(indices)
        for index, shown in zip(indices.tolist(), pixels, strict=True):
            assert paths[index].parts[-3] == name
            assert data.task.classes[data.labels[index]] == paths[index].parts[-2]
            assert tuple(shown[:, 0, 0].tolist()) == plain(index).getpixel((0, 0))


def test_a_mended_image_is_seen(tmp_path):
    paths = write_plain_folder(tmp_path / "images", COUNTS)
    config = settings(data=str(tmp_path / "images"))
    damage(paths[3], "cut")
    with pytest.raises(DataError):
        prepared(config)
    plain(3).save(paths[3])
    assert prepared(config).task.skipped == ()


# ---- what is kept -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pattern_folder(tmp_path / "images", {"": {"a": 60, "b": 60, "c": 60}})


def test_the_streaming_store_gives_the_same_pixels(folder):
    resident = prepared(settings(data=str(folder)))
    streamed = prepared(settings(data=str(folder), resident_gb=STREAM))
    assert isinstance(streamed.images, StreamedImages)
    assert streamed.task == resident.task
    indices = np.array([5, 179, 0, 5, 77])
    assert (streamed.images.take(indices) == resident.images.take(indices)).all()


def test_streamed_digits_are_opened_by_name():
    resident = prepared(settings())
    streamed = prepared(settings(resident_gb=STREAM))
    assert isinstance(streamed.images, StreamedImages)
    indices = np.array([1796, 3])
    assert (streamed.images.take(indices) == resident.images.take(indices)).all()


def test_streaming_survives_another_working_directory(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = prepare_task(settings(data="images", resident_gb=STREAM, image_size=32), 160, Silent())
    monkeypatch.chdir("/")
    assert open_task(place).images.take(np.array([3])).shape == (1, 3, 32, 32)


def test_a_second_look_decodes_nothing(folder, monkeypatch):
    listener = Recorder()
    first = prepare_task(settings(data=str(folder)), 160, listener)
    assert listener.steps

    def decode(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(autokd.data.streaming, "to_pixels", decode)
    assert prepare_task(settings(data=str(folder)), 160, Silent()) == first
    with pytest.raises(AssertionError):
        prepare_task(settings(data=str(folder), image_size=48), 160, Silent())


def test_a_lost_array_is_decoded_again(folder):
    config = settings(data=str(folder))
    before = prepared(config).images.take(np.arange(180))
    (array,) = (config.cache_dir / "images").glob("*/images.npy")
    array.unlink()
    assert (prepared(config).images.take(np.arange(180)) == before).all()


def test_an_interrupted_decoding_leaves_nothing_behind(folder):
    class Stop(Silent):
        def advance(self, *_):
            raise KeyboardInterrupt

    config = settings(data=str(folder))
    with pytest.raises(KeyboardInterrupt):
        prepare_task(config, 160, Stop())
    assert list((config.cache_dir / "images").iterdir()) == []


def test_the_fingerprint_follows_pixels_labels_and_names(tmp_path):
    def fingerprint(name: str, **changes) -> str:
        root = write_pattern_folder(tmp_path / name, {"": {"a": 80, changes.get("second", "b"): 80}})
        if "pixel" in changes:
            Image.fromarray(pattern(3, 3)).save(root / "a" / "004.png")
        return prepared(settings(data=str(root))).task.fingerprint

    assert fingerprint("one") == fingerprint("two")
    assert len({fingerprint("three"), fingerprint("four", second="c"), fingerprint("five", pixel=True)}) == 3
