"""Photos are not square: training crops come from all of a picture, the clean view from its centre."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import one_thread, prepared, settings
from PIL import Image

from autokd.data.image_store import ResidentImages, to_pixels
from autokd.data.open_image import open_sides
from autokd.data.shapes import longest, stored_length
from autokd.data.sources.image_folder import read_folder
from autokd.data.streaming import StreamedImages
from autokd.data.task import TaskData
from autokd.data.views import RATIO, _crop_boxes, clean_view, make_view, store_size
from autokd.records import Transform

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
SIZE = 96
TRANSFORM = Transform(image_size=SIZE, crop="resized", flip=False)
STORED = store_size(TRANSFORM)
SIDES = [(160, 120), (120, 160), (130, 130), (400, 100), (100, 330), (141, 97)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Red at the left end, blue at the right, green on top, white noise all over."""
    picture = np.random.default_rng([width, height, seed]).integers(0, 30, (height, width, 3))
    picture[:, : width // 8, 0] += 200
    picture[:, -width // 8 :, 2] += 200
    picture[: height // 8, :, 1] += 200
    return Image.fromarray(picture.astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Lying, upright, square and very long pictures of two classes, one of them turned by its camera."""
    root = tmp_path_factory.mktemp("photos")
    for label in ("a", "b"):
        (root / label).mkdir()
        for number in range(80):
            photo(*SIDES[number % len(SIDES)], seed=number + 100 * (label == "b")).save(
                root / label / f"{number:02}.png"
            )
    exif = Image.Exif()
    exif[274] = 6
    photo(160, 120).save(root / "a" / "00.jpg", exif=exif)
    return root


def opened(folder: Path, tmp_path: Path, **options) -> TaskData:
    return prepared(
        settings(data=str(folder), image_size=SIZE, flip=False, colour=0.0, cache_dir=tmp_path / "cache", **options)
    )


def shown(picture: Image.Image, views: int = 60) -> torch.Tensor:
    """Views of one picture from a batch in which it is not the longest."""
    pixels = to_pixels(picture, STORED, "bicubic", longest(STORED))
    shapes = np.array([pixels.shape[1:]], dtype=np.int32)
    standing = torch.from_numpy(pixels)
    standing = standing.transpose(1, 2) if shapes[0, 1] > shapes[0, 0] else standing
    batch = torch.full((1, 3, longest(STORED), STORED), 255, dtype=torch.uint8)
    batch[0, :, : standing.shape[1]] = standing
    made = [make_view(batch, np.array([0]), TRANSFORM, 1, view, shapes) for view in range(views)]
    return torch.cat([clean_view(batch, TRANSFORM, shapes), *made])


@pytest.mark.parametrize(("width", "height"), [(160, 120), (120, 160)])
def test_crops_reach_both_ends_and_the_clean_view_neither(width, height):
    """The ends of a 4:3 picture are outside its central square."""
    picture = photo(160, 120)
    if height > width:
        picture = picture.transpose(Image.Transpose.ROTATE_270)  # red on top, blue at the bottom
    clean, *views = shown(picture)
    assert clean[0].max() < 0.3 and clean[2].max() < 0.3
    red = [view for view in views if view[0].max() > 0.6]
    blue = [view for view in views if view[2].max() > 0.6]
    assert len(red) > 10 and len(blue) > 10
    for view in red:  # the end is at the edge of the view that it is at in the picture
        assert view[0].amax(0 if width > height else 1).argmax() < SIZE / 3


@pytest.mark.parametrize("sides", SIDES)
def test_no_view_shows_what_lies_beside_the_picture(sides):
    """The batch is white around it; a crop that reaches the last row repeats that."""
    dark = Image.new("RGB", sides, (40, 40, 40))
    assert torch.allclose(shown(dark, 200), torch.tensor(40 / 255), atol=1e-6)


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("sides", [*SIDES, (501, 60), (60, 503), (97, 131), (3000, 100)])
def test_the_clean_view_is_the_centre_that_it_always_was(sides, interpolation):
    picture = photo(*sides)
    for size in (72, 96, 97, 131):
        transform = TRANSFORM.model_copy(update={"image_size": size})
        stored = store_size(transform)
        square = to_pixels(picture, stored, interpolation)
        pixels = to_pixels(picture, stored, interpolation, longest(stored))
        assert sorted(pixels.shape[1:]) == [stored, stored_length(sides, stored)]
        shapes = np.array([pixels.shape[1:]], dtype=np.int32)
        standing = np.ascontiguousarray(pixels.transpose(0, 2, 1) if sides[0] > sides[1] else pixels)
        given = clean_view(torch.from_numpy(standing)[None], transform, shapes)
        assert torch.equal(given, clean_view(torch.from_numpy(square)[None], transform))


def test_crops_keep_to_the_aspect_ratios_and_fit_into_the_picture():
    numbers = np.random.default_rng(0).random((5000, 5))
    for tallness in (0.5, 0.75, 1.0, 1.6, 2.0):
        theta = _crop_boxes(numbers, TRANSFORM, np.full(5000, tallness))
        width, height = theta[:, 0, 0], theta[:, 1, 1]
        assert (np.abs(theta[:, 0, 2]) + width).max() < 1 + 1e-9 and (np.abs(theta[:, 1, 2]) + height).max() < 1 + 1e-9
        ratio = width / (height * tallness)
        assert ratio.min() > RATIO[0] - 1e-9 and ratio.max() < RATIO[1] + 1e-9
        area = width * height
        assert area.min() > 0.3 and area.max() > 0.6
        assert (theta[:, :, 2].max(0) > 0.2).all() and (theta[:, :, 2].min(0) < -0.2).all()


def test_streamed_and_resident_pictures_give_the_same_views(folder, tmp_path):
    resident = opened(folder, tmp_path)
    expected = resident.images.take(np.arange(161))
    assert isinstance(resident.images, ResidentImages)
    for workers in (0, 1):
        streamed = opened(folder, tmp_path, resident_gb=1e-9, loader_workers=workers)
        assert isinstance(streamed.images, StreamedImages)
        assert streamed.task == resident.task and streamed.folder == resident.folder
        groups = [resident.train[:40], np.array([4]), resident.val]
        for indices, stored in zip(groups, streamed.images.batches(groups), strict=True):
            assert torch.equal(stored, expected[indices])
            assert np.array_equal(streamed.shapes(indices), resident.shapes(indices))


def test_a_view_is_the_same_whatever_other_pictures_are_in_the_batch(folder, tmp_path):
    data = opened(folder, tmp_path)
    indices = np.arange(3, 35)
    together = make_view(data.images.take(indices), indices, TRANSFORM, 5, 3, data.shapes(indices))
    clean = clean_view(data.images.take(indices), TRANSFORM, data.shapes(indices))
    for row, index in enumerate(indices):
        one = np.array([index])
        alone = make_view(data.images.take(one), one, TRANSFORM, 5, 3, data.shapes(one))
        assert torch.equal(alone[0], together[row])
        assert torch.equal(clean_view(data.images.take(one), TRANSFORM, data.shapes(one))[0], clean[row])


def test_only_the_bytes_of_the_pictures_are_kept_and_a_changed_bit_is_noticed(folder, tmp_path):
    data = opened(folder, tmp_path)
    (path,) = (tmp_path / "cache" / "images").glob("*/images.npy")
    part = read_folder(folder).train
    long = sum(stored_length(part.sides(index), STORED) for index in range(161))
    assert np.load(path, mmap_mode="r").shape == (long, 3, STORED)
    before = data.images.take(np.arange(161))
    for name, place in (("images.npy", 200_000), ("shapes.npy", 300)):
        content = bytearray(path.with_name(name).read_bytes())
        content[place] ^= 1
        path.with_name(name).write_bytes(content)
        assert torch.equal(opened(folder, tmp_path).images.take(np.arange(161)), before)


def test_a_picture_that_cannot_be_decoded_moves_no_other(folder, tmp_path):
    root = tmp_path / "photos"
    for file in folder.rglob("*.*"):
        place = root / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes()[: -5000 if file.name == "06.png" else None])
    (root / "b" / "07.png").write_bytes(b"no image")
    resident = opened(root, tmp_path, on_corrupt="skip")
    streamed = opened(root, tmp_path / "other", on_corrupt="skip", resident_gb=1e-9, loader_workers=0)
    assert len(resident.task.skipped) == 3
    assert resident.task == streamed.task
    assert torch.equal(resident.images.take(resident.val), streamed.images.take(resident.val))


def test_pictures_of_one_square_shape_stay_one_array_of_squares(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(80):
            photo(120, 120, seed=number + 100 * (label == "b")).save(tmp_path / "images" / label / f"{number}.png")
    data = opened(tmp_path / "images", tmp_path)
    assert data.shapes(data.train) is None
    assert data.images.take(data.train[:7]).shape == (7, 3, STORED, STORED)


def test_the_sides_are_told_without_decoding(tmp_path):
    photo(160, 120).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(content[:200])
    assert open_sides(tmp_path / "x.png") == open_sides(content) == (160, 120)
