"""The JSON files next to soft labels: their origin, the layout of a view on disk, and the chunks that are written."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from autokd.records import Preprocessing, Record

ALL_CLASSES = 1000  # with more classes only the largest logits are stored
TOP = 256


class Layout(Record):
    """The layout of a view in its file."""

    images: int
    classes: int
    batch: int
    chunk_batches: int

    @property
    def top(self) -> int | None:
        """Logits stored of an image; None: all of them."""
        return TOP if self.classes > ALL_CLASSES else None

    @property
    def dtype(self) -> np.dtype[Any]:
        """An image's row: fp16 [classes]; or `logits` fp16 [top], their `classes`, and log-sum-exp of the `rest`."""
        if self.top is None:
            return np.dtype(("<f2", (self.classes,)))
        number = "<u2" if self.classes <= 1 << 16 else "<u4"
        return np.dtype([("logits", "<f2", (self.top,)), ("classes", number, (self.top,)), ("rest", "<f4")])

    @property
    def header(self) -> bytes:
        """The .npy header in front of the rows."""
        base, shape = self.dtype.subdtype or (self.dtype, ())
        content = {"descr": np.lib.format.dtype_to_descr(base), "fortran_order": False, "shape": (self.images, *shape)}
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, content)
        return buffer.getvalue()

    @property
    def view_bytes(self) -> int:
        """Bytes of a view's file."""
        return len(self.header) + self.images * self.dtype.itemsize

    @property
    def chunk_rows(self) -> int:
        """Images of every chunk but the last."""
        return self.batch * self.chunk_batches

    @property
    def chunks(self) -> int:
        """Chunks of a view."""
        return -(-self.images // self.chunk_rows)

    def span(self, chunk: int) -> tuple[int, int]:
        """First and past-the-last row of a chunk."""
        return chunk * self.chunk_rows, min((chunk + 1) * self.chunk_rows, self.images)

    def chunk_bytes(self, chunk: int) -> int:
        """Bytes of a chunk."""
        first, end = self.span(chunk)
        return (end - first) * self.dtype.itemsize

    def batches(self, chunk: int) -> list[tuple[int, int]]:
        """First and past-the-last row of each batch of a chunk; they depend on the layout alone."""
        first, end = self.span(chunk)
        return [(start, min(start + self.batch, end)) for start in range(first, end, self.batch)]


class Chunk(Record):
    """A chunk that is on disk."""

    crc32: int
    seconds: float  # device seconds that it took
    written: float  # seconds since the epoch


class View(Record):
    """A view's JSON file; None for a chunk that is not written yet."""

    layout: Layout
    chunks: tuple[Chunk | None, ...]


class About(Record):
    """about.json: the origin of the soft labels, and all that is needed to compute them again."""

    teacher: str
    weights: str  # where the teacher's weights are from, in one phrase
    fingerprint: str  # of the weights
    source: str  # `pretrained`, a file, in the cache below its folder, or nothing for a module from Python
    mean: tuple[float, ...]
    std: tuple[float, ...]
    preprocessing: Preprocessing | None = None  # the teacher's own; None: that of the students
    data: str
    task: str  # fingerprint
    images: int
    classes: int
    views_seed: int
    device: str
    precision: str
    torch: str
    timm: str
