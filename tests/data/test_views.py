"""Views as pure functions, with shifts, flips and crops worked out by hand."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

import autokd.data.views as views
from autokd.data.views import clean_view, make_view, normalise, store_size, uniforms
from autokd.records import Transform

PADDED = Transform(image_size=32, crop="padded", flip=True)
RESIZED = Transform(image_size=96, crop="resized", flip=True)


def pictures(transform: Transform, count: int = 12) -> torch.Tensor:
    size = store_size(transform)
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("transform", [PADDED, RESIZED], ids=["padded", "resized"])
def test_a_view_depends_on_seed_view_and_index_only(transform):
    images = pictures(transform)
    numbers = np.arange(100, 112)
    together = make_view(images, numbers, transform, 5, 3)
    order = np.random.default_rng(0).permutation(12)
    assert torch.equal(make_view(images[order], numbers[order], transform, 5, 3), together[order])
    for i in range(12):
        assert torch.equal(make_view(images[i : i + 1], numbers[i : i + 1], transform, 5, 3)[0], together[i])


@pytest.mark.parametrize("transform", [PADDED, RESIZED], ids=["padded", "resized"])
def test_views_differ_between_numbers_seeds_and_images(transform):
    images = pictures(transform, 1).expand(40, -1, -1, -1)
    numbers = np.arange(40)
    base = make_view(images, numbers, transform, 5, 3)
    for other in (make_view(images, numbers, transform, 5, 4), make_view(images, numbers, transform, 6, 3)):
        same = sum(torch.equal(a, b) for a, b in zip(base, other, strict=True))
        assert same <= 4
    assert len({picture.numpy().tobytes() for picture in base}) > 30


@pytest.mark.parametrize("transform", [PADDED, RESIZED], ids=["padded", "resized"])
def test_views_are_floats_from_0_to_1_channels_last(transform):
    images = pictures(transform)
    for view in (make_view(images, np.arange(12), transform, 0, 0), clean_view(images, transform)):
        assert view.dtype == torch.float32
        assert view.shape == (12, 3, transform.image_size, transform.image_size)
        assert view.is_contiguous(memory_format=torch.channels_last)
        assert 0 <= view.min() <= view.max() <= 1


def test_the_hash_is_uniform_and_its_columns_unrelated():
    numbers = uniforms(7, 0, np.arange(20_000), 5)
    assert 0 <= numbers.min() <= numbers.max() < 1
    assert np.abs(numbers.mean(0) - 0.5).max() < 0.01
    assert np.abs(numbers.var(0) - 1 / 12).max() < 0.002
    following = uniforms(7, 1, np.arange(20_000), 5)
    assert np.abs(np.corrcoef(np.hstack([numbers, following]).T) - np.eye(10)).max() < 0.04


PINNED = [[0.521790313771, 0.908253228521], [0.928936379392, 0.142089869274]]


def test_the_hash_is_what_it_was():
    """Kept soft labels belong to these numbers: a change of the hash has to change the name of the cache too."""
    assert uniforms(7_919, 2, np.array([0, 41]), 2).round(12).tolist() == PINNED


RESIZED_SUMS = [
    13.6471,
    -25.1303,
    -17.5638,
    -1.9211,
    -20.8970,
    8.0721,
    -0.1965,
    -30.9893,
    -10.9753,
    8.5822,
    41.4545,
    11.7897,
]


def test_views_without_jitter_and_erasing_are_exactly_these_pixels():
    """Stored soft labels belong to them: a change here needs another FORMAT of soft labels."""
    padded = make_view(pictures(PADDED), np.arange(100, 112), PADDED, 5, 3)
    assert hashlib.sha256(padded.contiguous().numpy().tobytes()).hexdigest()[:16] == "c915dee44cfb1440"
    resized = make_view(pictures(RESIZED), np.arange(100, 112), RESIZED, 5, 3)
    weights = torch.linspace(-1, 1, 96)
    sums = torch.einsum("nchw,h,w->n", resized.double(), weights.double(), weights.double())
    assert torch.allclose(sums, torch.tensor(RESIZED_SUMS, dtype=torch.float64), atol=1e-3)


def hand_view(monkeypatch, images: torch.Tensor, transform: Transform, *numbers: float) -> np.ndarray:
    """The view of one picture for given random numbers."""
    monkeypatch.setattr(views, "uniforms", lambda *_: np.array([[*numbers, 0.9, 0.9, 0.9, 0.9, 0.9][:5]]))
    return make_view(images, np.array([0]), transform, 0, 0)[0].numpy()


@pytest.mark.parametrize(
    ("down", "right", "mirrored", "rows", "columns"),
    [
        (0.5, 0.5, 0.9, [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.0, 0.5, 0.9, [1, 0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.99, 0.5, 0.9, [1, 2, 3, 4, 5, 6, 7, 6], [0, 1, 2, 3, 4, 5, 6, 7]),
        (0.5, 0.0, 0.9, [0, 1, 2, 3, 4, 5, 6, 7], [1, 0, 1, 2, 3, 4, 5, 6]),
        (0.5, 0.5, 0.1, [0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0]),
        (0.0, 0.99, 0.1, [1, 0, 1, 2, 3, 4, 5, 6], [6, 7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_shifts_and_mirrors_by_hand(monkeypatch, down, right, mirrored, rows, columns):
    image = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    transform = Transform(image_size=8, crop="padded", flip=True)
    shown = hand_view(monkeypatch, torch.from_numpy(image)[None], transform, down, right, mirrored)
    assert np.allclose(shown, image[:, rows][:, :, columns] / 255)


def test_without_flip_nothing_is_mirrored(monkeypatch):
    image = np.arange(192, dtype=np.uint8).reshape(3, 8, 8)
    still = Transform(image_size=8, crop="padded", flip=False)
    assert np.allclose(hand_view(monkeypatch, torch.from_numpy(image)[None], still, 0.5, 0.5, 0.0), image / 255)


@pytest.mark.parametrize(("across", "down"), [(0.0, 0.0), (1.0, 0.0), (0.3, 0.8)])
@pytest.mark.parametrize("mirrored", [0.1, 0.9])
def test_resized_crops_by_hand(monkeypatch, across, down, mirrored):
    """On a picture whose red is twice the column and whose green is twice the row, pixels tell where they come from."""
    size = store_size(RESIZED)
    image = np.zeros((3, size, size), np.uint8)
    image[0], image[1] = 2 * np.arange(size)[None, :], 2 * np.arange(size)[:, None]
    shown = hand_view(monkeypatch, torch.from_numpy(image)[None], RESIZED, 0.0, 0.5, across, down, mirrored) * 255 / 2

    side = np.sqrt(views.MIN_AREA) * size  # a square crop of the smallest area
    steps = (np.arange(96) + 0.5) / 96 * side - 0.5
    columns, rows = across * (size - side) + steps, down * (size - side) + steps
    if mirrored < 0.5:
        columns = columns[::-1]
    inner = slice(2, -2)  # at the very border the picture is reflected
    assert np.allclose(shown[0, :, inner], np.broadcast_to(columns[inner], (96, 92)), atol=0.02)
    assert np.allclose(shown[1, inner, :], np.broadcast_to(rows[inner, None], (92, 96)), atol=0.02)


def test_a_resized_crop_of_everything_is_the_whole_picture(monkeypatch):
    still = RESIZED.model_copy(update={"flip": False})
    size = store_size(still)
    image = np.broadcast_to(2 * np.arange(size, dtype=np.uint8), (3, size, size)).copy()
    shown = hand_view(monkeypatch, torch.from_numpy(image)[None], still, 1.0, 0.5, 0.5, 0.5) * 255 / 2
    expected = (np.arange(96) + 0.5) / 96 * size - 0.5
    assert np.allclose(shown[0], np.broadcast_to(expected, (96, 96)), atol=0.02)


def test_the_clean_view_is_the_centre():
    images = pictures(RESIZED, 2)
    margin = (store_size(RESIZED) - 96) // 2
    assert torch.equal(clean_view(images, RESIZED), images[:, :, margin:-margin, margin:-margin].float() / 255)
    small = pictures(PADDED, 2)
    assert torch.equal(clean_view(small, PADDED), small.float() / 255)


def test_stored_images_have_a_margin_that_rounds_away():
    for size in range(65, 320):
        stored = store_size(Transform(image_size=size, crop="resized", flip=True))
        assert (stored - size) % 4 == 0
        assert 1.05 < stored / size < 1.16


def test_constants_of_normalise_are_made_once_and_serve_training_after_inference():
    views._constants.cache_clear()
    stats = ((0.1,) * 3, (0.5,) * 3)
    with torch.inference_mode():
        normalise(torch.rand(1, 3, 2, 2), *stats)
    view = torch.rand(1, 3, 2, 2, requires_grad=True)
    normalise(view, *stats).sum().backward()
    assert torch.allclose(view.grad, torch.full((1, 3, 2, 2), 2.0))
    assert views._constants.cache_info().misses == 1


def test_normalise_is_each_models_own():
    view = torch.rand(2, 3, 4, 4)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    shown = normalise(view, mean, std)
    expected = (view - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    assert torch.allclose(shown, expected, atol=1e-6)
