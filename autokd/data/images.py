"""Pixels: every image decoded once to uint8 at one size, kept on disk while that is small, else decoded when needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from autokd.data.parts import UNREADABLE, Part
from autokd.progress import Listener
from autokd.run import digest, read_json, usable_cores, write_text

RESIDENT_BYTES = 4 << 30  # decoded images above this are not kept; they are decoded at every use
FORMAT = 1

Indices = npt.NDArray[np.int64]
ReadPixels = Callable[[int], npt.NDArray[np.uint8]]


class ImageStore(Protocol):
    """Images of a task as tensors."""

    size: int

    def take(self, indices: Indices) -> Tensor:
        """uint8 [len(indices), 3, size, size] on the store's device."""

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """`take` of each group in turn; a store that decodes works ahead of whoever iterates."""


class ResidentImages:
    """All images in one uint8 tensor [N, 3, H, H], memory-mapped on a CPU, copied once to any other device."""

    def __init__(self, path: Path, device: str) -> None:
        array = np.load(path, mmap_mode="c")
        self._all = torch.from_numpy(array).to(device)
        self.size = int(array.shape[-1])

    def take(self, indices: Indices) -> Tensor:
        """See ImageStore."""
        return self._all[torch.from_numpy(indices).to(self._all.device)]

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """See ImageStore."""
        return map(self.take, groups)


class StreamedImages:
    """Images decoded by threads whenever they are asked for."""

    def __init__(self, read: ReadPixels, size: int, device: str) -> None:
        self._read, self.size, self._device = read, size, device
        self._pool = ThreadPoolExecutor(usable_cores())

    def take(self, indices: Indices) -> Tensor:
        """See ImageStore."""
        pixels = np.stack(list(self._pool.map(self._read, indices.tolist())))
        return torch.from_numpy(pixels).to(self._device)

    def batches(self, groups: Sequence[Indices]) -> Iterator[Tensor]:
        """See ImageStore."""
        return map(self.take, groups)


def to_pixels(image: Image.Image, size: int, interpolation: str) -> npt.NDArray[np.uint8]:
    """RGB pixels [3, size, size]: the shorter side resized to `size`, then the centre; grey, palette and 16 bit too."""
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode != "RGB":
        image = image.convert("RGBA" if "transparency" in image.info else image.mode).convert("RGB")
    # rounding as in torchvision's Resize and CenterCrop, so that an exported student sees the very same pixels
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    resample = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    resized = image if image.size == (width, height) else image.resize((width, height), resample)
    left, top = round((width - size) / 2), round((height - size) / 2)
    square = np.asarray(resized.crop((left, top, left + size, top + size)), dtype=np.uint8)
    return np.ascontiguousarray(square.transpose(2, 0, 1))


def decode_all(
    parts: list[Part],
    identity: str | None,
    size: int,
    interpolation: str,
    cache_dir: Path,
    listener: Listener,
) -> tuple[Path | None, str, list[int]]:
    """Decode the images of all parts, laid end to end, once.

    Returns (path of the uint8 array [N, 3, size, size], or None where it would be too large; a fingerprint of the
    content; numbers of the images that cannot be read, whose rows are zero).
    """
    total = sum(len(part) for part in parts)
    resident = total * 3 * size * size <= RESIDENT_BYTES
    root = cache_dir / "images"
    key = digest(FORMAT, identity, total, size, interpolation, resident) if identity else None
    if key and (known := _known(root / key, resident)):
        return known
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=root, prefix=".decoding-"))
    try:
        content, corrupt = _decode(parts, total, size, interpolation, work if resident else None, listener)
        write_text(work / "meta.json", f'{{"content": "{content}", "corrupt": {corrupt}}}\n')
        final = root / (key or digest(FORMAT, content, size, interpolation, resident))
        _put(work, final, resident)
        return (final / "images.npy" if resident else None), content, corrupt
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(work: Path, final: Path, resident: bool) -> None:
    """Give decoded images their name, unless another process has just done so; what is incomplete there gives way."""
    try:
        work.rename(final)
    except OSError:
        if _known(final, resident) is None:
            shutil.rmtree(final)
            work.rename(final)


def _known(folder: Path, resident: bool) -> tuple[Path | None, str, list[int]] | None:
    if not (folder / "meta.json").exists() or (resident and not (folder / "images.npy").exists()):
        return None
    meta = read_json(folder / "meta.json")
    os.utime(folder)
    return (folder / "images.npy" if resident else None), meta["content"], meta["corrupt"]


def _decode(
    parts: list[Part], total: int, size: int, interpolation: str, work: Path | None, listener: Listener
) -> tuple[str, list[int]]:
    shape = (total, 3, size, size)
    array = np.lib.format.open_memmap(work / "images.npy", mode="w+", dtype=np.uint8, shape=shape) if work else None
    hasher, corrupt = hashlib.sha256(), []
    blank = np.zeros(shape[1:], dtype=np.uint8)
    for number, pixels in enumerate(_in_order(parts, size, interpolation)):
        if pixels is None:
            corrupt.append(number)
        hasher.update((blank if pixels is None else pixels).data)
        if array is not None:
            array[number] = blank if pixels is None else pixels
        if number % 500 == 0:
            listener.advance("decoding images", number, total, None)
    if array is not None:
        array.flush()
    return hasher.hexdigest()[:16], corrupt


def _in_order(parts: list[Part], size: int, interpolation: str) -> Iterator[npt.NDArray[np.uint8] | None]:
    def decode(part: Part, index: int) -> npt.NDArray[np.uint8] | None:
        try:
            return to_pixels(part.read(index), size, interpolation)
        except UNREADABLE:
            return None

    workers = usable_cores()
    with ThreadPoolExecutor(workers) as pool:
        for part in parts:
            for start in range(0, len(part), 64 * workers):
                yield from pool.map(partial(decode, part), range(start, min(start + 64 * workers, len(part))))
