"""Views: augmentation as a pure function of (seed, view, image index).

Every random number comes from a counter-based hash of those three, so the same view is made whatever worker makes it,
in whatever order, today and after a resume; teacher and student see the same crop.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from autokd.data.augmentations import erase, jitter_colour
from autokd.data.shapes import Shapes, lengths, lies
from autokd.data.trivial_augment import trivial_augment
from autokd.records import Transform

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
SHIFT = 8  # padded crops move by up to image_size / SHIFT pixels
MIN_AREA = 0.35  # of a resized crop
RATIO = (3 / 4, 4 / 3)

# Positions of the numbers of one view; kept soft labels belong to them, so new ones are added at the end.
PLACE, COLOUR, ERASE, TRIVIAL = slice(0, 5), slice(5, 8), slice(8, 13), slice(13, 16)


def store_size(transform: Transform, shown_size: int | None = None) -> int:
    """Pixels of the shorter side at which images are stored: resized crops need a margin, as 256 for 224.

    The margin is an even number of pixels on each side: cutting the stored square and then its centre rounds like
    cutting the centre at once, which is what an exported student's preprocessing does.
    """
    size = shown_size or transform.image_size
    return size if transform.crop == "padded" else size + max(1, size // 28) * 4


def uniforms(seed: int, view: int, indices: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1), shape [len(indices), count], each a hash of (seed, view, index, position).

    The mixing function is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
    """
    with np.errstate(over="ignore"):
        state = _mix(np.uint64(seed) * _GOLDEN + np.uint64(view) + np.uint64(1))
        rows = _mix(state ^ (indices.astype(np.uint64) * _GOLDEN))
        columns = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        bits = _mix(rows[:, None] + columns[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: npt.NDArray[np.uint64] | np.uint64) -> npt.NDArray[np.uint64]:
    z = np.asarray(z, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def make_view(
    images: Tensor,
    indices: npt.NDArray[np.int64],
    transform: Transform,
    seed: int,
    view: int,
    shapes: Shapes | None = None,
    size: int | None = None,
) -> Tensor:
    """One view of each image.

    images: uint8 [n, 3, L, H] as stored, on any device; indices: int64 [n], the images' own numbers; shapes: [n, 2],
    None where all images of the task are squares; size: pixels a side in which the view is shown, from images that
    are stored for it; None: the transform's own.
    Returns float32 [n, 3, S, S] in 0 to 1, channels last, on the device of `images`.
    """
    size = size or transform.image_size
    numbers = uniforms(seed, view, indices, TRIVIAL.stop)
    if transform.crop == "padded":
        cropped = _shifted(images, numbers[:, PLACE], transform, size)
    else:
        cropped = _resized(images, numbers[:, PLACE], transform, shapes, size)
    if transform.colour > 0:
        cropped = jitter_colour(cropped, numbers[:, COLOUR], transform.colour)
    if transform.trivial_augment:
        cropped = trivial_augment(cropped, numbers[:, TRIVIAL])
    if transform.erase > 0:
        cropped = erase(cropped, numbers[:, ERASE], transform.erase)
    return cropped


def clean_view(images: Tensor, transform: Transform, shapes: Shapes | None = None) -> Tensor:
    """The centre of each image, without randomness; shapes as in `make_view`."""
    size = transform.image_size
    margin = (images.shape[-1] - size) // 2
    if shapes is None:
        centre = images[..., margin : margin + size, margin : margin + size]
    else:
        tops = np.rint((lengths(shapes) - size) / 2).astype(np.int64)  # as in torchvision's CenterCrop
        rows = torch.from_numpy(tops[:, None] + np.arange(size)).to(images.device)
        which = torch.arange(len(images), device=images.device)[:, None]
        standing = images[which, :, rows, margin : margin + size].transpose(1, 2)
        centre = torch.where(_lying(shapes, images.device), standing.transpose(2, 3), standing)
    return to_floats(centre)


def to_floats(images: Tensor) -> Tensor:
    """uint8 [n, 3, S, S] as float32 in 0 to 1, channels last."""
    return images.to(memory_format=torch.channels_last).float().div_(255)


def _lying(shapes: Shapes, device: torch.device) -> Tensor:
    """Which images are wide ones that are stored standing: bool [n, 1, 1, 1]."""
    return torch.from_numpy(lies(shapes)).to(device).view(-1, 1, 1, 1)


def normalise(view: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """A model's own normalisation of a view; mean and std per channel, in 0 to 1."""
    scale, shift = _constants(tuple(mean), tuple(std), view.device)
    return torch.addcmul(shift, view, scale)


@lru_cache(maxsize=64)
def _constants(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """1 / std and -mean / std as [1, 3, 1, 1] on the device, made once: a step copies nothing to it."""
    with torch.inference_mode(False):  # a tensor born in inference mode is of no use to a training
        scale = torch.tensor([1 / s for s in std], device=device).view(1, 3, 1, 1)
        shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=device).view(1, 3, 1, 1)
    return scale, shift


def _shifted(images: Tensor, numbers: npt.NDArray[np.float64], transform: Transform, size: int) -> Tensor:
    reach = transform.image_size // SHIFT
    pixels_of_own = np.floor(numbers[:, :2] * (2 * reach + 1)) - reach
    offsets = np.rint(pixels_of_own * (size / transform.image_size)).astype(np.int64)
    pixels = np.arange(size)
    rows = _reflect(pixels[None, :] + offsets[:, :1], size)
    columns = _reflect(pixels[None, :] + offsets[:, 1:], size)
    if transform.flip:
        mirrored = numbers[:, 2] < 0.5
        columns[mirrored] = columns[mirrored, ::-1]
    device = images.device
    which = torch.arange(len(images), device=device)[:, None, None]
    by_pixel = images.permute(0, 2, 3, 1)[
        which, torch.from_numpy(rows).to(device)[:, :, None], torch.from_numpy(columns).to(device)[:, None, :]
    ]
    return by_pixel.float().div_(255).permute(0, 3, 1, 2)


def _reflect(positions: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    positions = np.abs(positions)
    return np.where(positions >= size, 2 * (size - 1) - positions, positions)


def _resized(
    images: Tensor, numbers: npt.NDArray[np.float64], transform: Transform, shapes: Shapes | None, size: int
) -> Tensor:
    """Random resized crop (Szegedy 2014) by an affine grid: area and aspect ratio drawn, then the place."""
    theta = _crop_boxes(numbers, transform, 1.0 if shapes is None else shapes[:, 0] / shapes[:, 1])
    if shapes is not None:
        share = lengths(shapes) / images.shape[2]
        _stand(theta, lies(shapes), share)
    grid = F.affine_grid(
        torch.from_numpy(theta).to(images.device, torch.float32),
        [len(images), 3, size, size],
        align_corners=False,
    )
    if shapes is not None:
        last = torch.from_numpy(2 * share - 1 - 1 / images.shape[2]).to(images.device, torch.float32)
        grid[..., 1] = torch.minimum(grid[..., 1], last.view(-1, 1, 1))  # what lies below an image is not of it
    crop = F.grid_sample(to_floats(images), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return crop.contiguous(memory_format=torch.channels_last)


def _crop_boxes(
    numbers: npt.NDArray[np.float64], transform: Transform, tallness: float | npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The affine maps [n, 2, 3] from a crop onto its picture, both from -1 to 1; tallness: height / width [n].

    Area and aspect ratio are those of the crop in the picture. A crop that would be longer than its picture is cut to
    it, and then made narrower where its aspect ratio would leave RATIO.
    """
    area = MIN_AREA + (1 - MIN_AREA) * numbers[:, 0]
    ratio = np.exp(np.log(RATIO[0]) + (np.log(RATIO[1]) - np.log(RATIO[0])) * numbers[:, 1])
    width = np.minimum(np.sqrt(area * ratio * tallness), 1.0)
    height = np.minimum(np.sqrt(area / (ratio * tallness)), 1.0)
    width, height = (
        np.minimum(width, RATIO[1] * height * tallness),
        np.minimum(height, width / (RATIO[0] * tallness)),
    )
    mirror = np.where(numbers[:, 4] < 0.5, -1.0, 1.0) if transform.flip else np.ones(len(numbers))
    theta = np.zeros((len(numbers), 2, 3))
    theta[:, 0, 0], theta[:, 1, 1] = width * mirror, height
    theta[:, 0, 2] = (1 - width) * (2 * numbers[:, 2] - 1)
    theta[:, 1, 2] = (1 - height) * (2 * numbers[:, 3] - 1)
    return theta


def _stand(theta: npt.NDArray[np.float64], lying: npt.NDArray[np.bool_], share: npt.NDArray[np.float64]) -> None:
    """Affine maps onto upright pictures become maps onto these as stored, standing at the top of a longer array.

    share: of the array's length that a picture has.
    """
    theta[lying] = theta[lying, ::-1]
    theta[:, 1] *= share[:, None]
    theta[:, 1, 2] += share - 1
