"""Colour jitter and erasing: pure, bounded, distributed as their paper and torchvision say, alike on every device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from autokd.data import augmentations
from autokd.data.views import ERASE, make_view, store_size, uniforms
from autokd.records import Transform

PADDED = Transform(image_size=32, crop="padded", flip=True, colour=0.4, erase=0.5)
RESIZED = Transform(image_size=96, crop="resized", flip=True, colour=0.4, erase=0.5)
BOTH = pytest.mark.parametrize("transform", [PADDED, RESIZED], ids=["padded", "resized"])


def pictures(transform: Transform, count: int = 16, channels: int = 3) -> torch.Tensor:
    size = store_size(transform)
    generator = torch.Generator().manual_seed(1)
    made = torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)
    return made.expand(-1, 3, -1, -1)


@BOTH
def test_the_same_image_gets_the_same_view_in_any_company(transform):
    images, numbers = pictures(transform), np.arange(100, 116)
    together = make_view(images, numbers, transform, 5, 3)
    order = np.random.default_rng(0).permutation(16)
    assert torch.equal(make_view(images[order], numbers[order], transform, 5, 3), together[order])
    for i in range(16):
        assert torch.equal(make_view(images[i : i + 1], numbers[i : i + 1], transform, 5, 3)[0], together[i])
    assert not torch.equal(make_view(images, numbers, transform, 5, 4), together)
    assert not torch.equal(make_view(images, numbers, transform, 6, 3), together)


@BOTH
@pytest.mark.parametrize("changes", [{"colour": 0.0}, {"erase": 0.0}, {"colour": 1.0, "erase": 1.0}])
def test_views_stay_floats_from_0_to_1_channels_last(transform, changes):
    transform = transform.model_copy(update=changes)
    view = make_view(pictures(transform), np.arange(16), transform, 0, 0)
    assert view.dtype == torch.float32
    assert view.shape == (16, 3, transform.image_size, transform.image_size)
    assert view.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= view.min() <= view.max() <= 1


@BOTH
def test_grey_stays_grey(transform):
    view = make_view(pictures(transform, channels=1), np.arange(16), transform, 0, 0)
    assert torch.equal(view[:, 0], view[:, 1])
    assert torch.equal(view[:, 0], view[:, 2])


def test_jitter_is_torchvisions_where_nothing_is_cut():
    view = 0.3 + 0.2 * torch.rand(8, 3, 20, 20, generator=torch.Generator().manual_seed(2))
    numbers = np.random.default_rng(2).random((8, 3))
    shown = augmentations.jitter_colour(view, numbers, 0.2)
    for picture, result, (b, c, s) in zip(view, shown, (1 + 0.2 * (2 * numbers - 1)).tolist(), strict=True):
        expected = tv.adjust_saturation(tv.adjust_contrast(tv.adjust_brightness(picture, b), c), s)
        assert torch.allclose(result, expected, atol=2e-3)  # the mean grey is of levels of 1/255


def test_jitter_of_no_strength_and_at_the_middle_changes_nothing():
    view = torch.rand(4, 3, 8, 8)
    assert torch.allclose(
        augmentations.jitter_colour(view, np.random.default_rng(0).random((4, 3)), 0.0), view, atol=1e-6
    )
    assert torch.allclose(augmentations.jitter_colour(view, np.full((4, 3), 0.5), 1.0), view, atol=1e-6)


def erased(probability: float, size: int = 64, count: int = 4_000) -> torch.Tensor:
    """Which pixels of black pictures with one white pixel were erased, bool [count, size, size]."""
    view = torch.zeros(count, 1, size, size)
    view[:, :, 0, 0] = 1  # so that the mean differs from black
    numbers = uniforms(3, 1, np.arange(count), ERASE.stop)[:, ERASE]
    mean = view.mean()
    assert mean > 0
    return (augmentations.erase(view, numbers, probability)[:, 0] - mean).abs() < 1e-6


def test_the_share_the_area_and_the_shape_of_what_is_erased():
    chosen = erased(0.3)
    touched = chosen.flatten(1).any(1)
    assert abs(touched.float().mean() - 0.3) < 0.03
    assert not erased(0.0).any()
    everywhere = erased(1.0)
    assert everywhere.flatten(1).any(1).all()
    height, width = everywhere.any(2).sum(1), everywhere.any(1).sum(1)
    assert torch.equal(everywhere.sum((1, 2)), height * width), "no rectangle"
    area, aspect = height * width / 64**2, height / width
    assert 0.015 < area.min() < 0.03  # whole pixels move the ends a little
    assert 0.3 < area.max() < 0.35
    assert abs(area.mean() - 0.175) < 0.01
    assert 0.25 < aspect.min() < 0.4
    assert 2.5 < aspect.max() < 4
    assert abs(aspect.log().mean()) < 0.05
    assert everywhere.any(0).all(), "some place is never erased"


def test_what_is_erased_takes_the_crops_own_mean_colour():
    view = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(4))
    numbers = np.tile([0.0, 0.5, 0.5, 0.0, 0.0], (6, 1))
    shown = augmentations.erase(view, numbers, 0.5)
    side = round(float(np.sqrt(0.175)) * 32)
    fill = view.mean((2, 3), keepdim=True).expand(-1, -1, side, side)
    assert torch.allclose(shown[..., :side, :side], fill, atol=1e-3)
    assert torch.equal(shown[..., side:, :], view[..., side:, :])
    assert torch.equal(shown[..., :, side:], view[..., :, side:])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@BOTH
def test_a_gpu_makes_the_same_views(transform):
    images, numbers = pictures(transform), np.arange(16)
    here = make_view(images, numbers, transform, 5, 3)
    there = make_view(images.cuda(), numbers, transform, 5, 3)
    assert there.is_cuda
    assert there.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(there.cpu(), here, atol=1e-3)
