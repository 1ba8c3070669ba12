"""TrivialAugment: every operation against torchvision's, and views that depend on their image alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from autokd.data.trivial_augment import BINS, OPERATIONS, trivial_augment
from autokd.data.views import make_view
from autokd.records import Transform

SIZE = 64


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """uint8 [3, 64, 64]"""
    pixels = load_sample_image("china.jpg")[::6, ::6][:SIZE, :SIZE]
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)


def numbers(name: str, strength: float, positive: bool) -> np.ndarray[Any, Any]:
    which = (list(OPERATIONS).index(name) + 0.5) / len(OPERATIONS)
    return np.array([[which, (round(strength * (BINS - 1)) + 0.5) / BINS, 0.75 if positive else 0.25]])


def ours(photo: torch.Tensor, name: str, strength: float, positive: bool) -> torch.Tensor:
    return trivial_augment(photo[None] / 255, numbers(name, strength, positive))[0]


def theirs(photo: torch.Tensor, name: str, strength: float, positive: bool) -> torch.Tensor:
    sign = 1 if positive else -1
    factor = 1 + sign * 0.99 * strength
    bilinear = {"interpolation": InterpolationMode.BILINEAR}
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    centre = [SIZE / 2, SIZE / 2]
    degrees = float(np.rad2deg(np.arctan(sign * 0.99 * strength)))
    asked: dict[str, Any] = {
        "identity": lambda: photo,
        "shear_x": lambda: tv.affine(photo, **{**still, "shear": [degrees, 0.0]}, center=centre, **bilinear),
        "shear_y": lambda: tv.affine(photo, **{**still, "shear": [0.0, degrees]}, center=centre, **bilinear),
        "rotate": lambda: tv.rotate(photo, sign * 135.0 * strength, **bilinear),
        "brightness": lambda: tv.adjust_brightness(photo, factor),
        "colour": lambda: tv.adjust_saturation(photo, factor),
        "contrast": lambda: tv.adjust_contrast(photo, factor),
        "sharpness": lambda: tv.adjust_sharpness(photo, factor),
        "posterize": lambda: tv.posterize(photo, 8 - round(6 * strength)),
        "solarize": lambda: tv.solarize(photo, 255 * (1 - strength)),
        "auto_contrast": lambda: tv.autocontrast(photo),
        "equalize": lambda: tv.equalize(photo),
    }
    found: torch.Tensor = asked[name]()
    return found.float() / 255


@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if not name.startswith("shift")])
def test_each_operation_is_torchvisions(photo: torch.Tensor, name: str, strength: float, positive: bool) -> None:
    difference = (ours(photo, name, strength, positive) - theirs(photo, name, strength, positive)).abs()
    assert difference.median() <= 1.5 / 255
    assert (difference > 6 / 255).float().mean() < 0.03, "edges aside"


def test_shifts_are_shares_of_the_image(photo: torch.Tensor) -> None:
    moved = ours(photo, "shift_x", 1.0, True)
    pixels = round(SIZE * 32 / 224)
    assert (moved[..., : pixels - 1] == 0).all()
    assert (moved[..., pixels + 1 :] - photo[..., 1 : SIZE - pixels] / 255).abs().median() < 0.1
    assert (ours(photo, "shift_y", 1.0, False)[:, SIZE - pixels + 1 :] == 0).all()


def test_an_image_does_not_depend_on_its_batch(photo: torch.Tensor) -> None:
    drawn = np.random.default_rng(0).random((200, 3))
    views = (photo[None] / 255).repeat(200, 1, 1, 1)
    together = trivial_augment(views, drawn)
    alone = torch.cat([trivial_augment(views[i : i + 1], drawn[i : i + 1]) for i in range(200)])
    assert torch.equal(together, alone)
    assert 0 <= float(together.min()) <= float(together.max()) <= 1
    assert len({float(view.sum()) for view in together}) > 100


def test_views_are_changed_where_it_is_asked_for_and_the_same_every_time(photo: torch.Tensor) -> None:
    images, indices = photo[None].repeat(32, 1, 1, 1), np.arange(32)
    plain = Transform(image_size=SIZE, crop="padded", flip=False)
    asked = plain.model_copy(update={"trivial_augment": True})
    first, again = (make_view(images, indices, asked, seed=1, view=3) for _ in range(2))
    assert torch.equal(first, again)
    without = make_view(images, indices, plain, seed=1, view=3)
    changed = (first != without).flatten(1).any(1)
    assert 20 < int(changed.sum()) < 32, "one of fourteen operations is none"
    assert not torch.equal(first, make_view(images, indices, asked, seed=1, view=4))
