"""Soft labels on disk: a file a view, written and checked in chunks.

    about.json        whose soft labels these are
    view-0000.npy     one row an image: fp16 [images, classes], or the largest logits only (see `Layout.dtype`)
    view-0000.json    the view's chunks, each with checksum, device seconds and the time when it was written

A chunk's bytes are on disk before the view's JSON file names it. JSON files carry a checksum of themselves.
"""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from autokd.files import write_text
from autokd.records import Record

BATCH = 128  # images of one pass through the teacher
CHUNK_BATCHES = 16  # so a kill loses 2,048 images at most, and a chunk is at most 4 MB
ALL_CLASSES = 1000  # with more classes than these only the largest logits are stored
TOP = 256

Rows = npt.NDArray[Any]
R = TypeVar("R", bound=Record)


class Layout(Record):
    """How a view lies in its file."""

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
        """What numpy puts before the rows."""
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
        """First and past-the-last row of each of its batches, the same whoever writes it and whenever."""
        first, end = self.span(chunk)
        return [(start, min(start + self.batch, end)) for start in range(first, end, self.batch)]


class Chunk(Record):
    """A chunk that is on disk."""

    crc32: int
    seconds: float  # device seconds that it took
    written: float  # seconds since the epoch


class View(Record):
    """A view's JSON file; None stands for a chunk that is not written yet."""

    layout: Layout
    chunks: tuple[Chunk | None, ...]


class About(Record):
    """about.json: whose soft labels these are, and what it takes to compute them again."""

    teacher: str
    weights: str  # how the teacher came by them, in one phrase
    fingerprint: str  # of the weights
    source: str  # `pretrained`, a file, in the cache below its folder, or nothing for a module from Python
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: str
    task: str  # fingerprint
    images: int
    classes: int
    views_seed: int
    device: str
    precision: str
    torch: str
    timm: str


@dataclass(frozen=True)
class ViewCheck:
    """A view as it is on disk: of each chunk its entry where file and checksum agree, and every fault in words."""

    chunks: tuple[Chunk | None, ...]
    faults: tuple[str, ...]

    @property
    def missing(self) -> list[int]:
        """Chunks that have to be written."""
        return [number for number, chunk in enumerate(self.chunks) if chunk is None]


def layout_of(images: int, classes: int) -> Layout:
    """The layout in which views are written now."""
    return Layout(images=images, classes=classes, batch=BATCH, chunk_batches=CHUNK_BATCHES)


def view_path(folder: Path, view: int) -> Path:
    """The rows of a view."""
    return folder / f"view-{view:04d}.npy"


def entry_path(folder: Path, view: int) -> Path:
    """The JSON file of a view."""
    return folder / f"view-{view:04d}.json"


def write_sealed(path: Path, record: Record) -> None:
    """Write a record and its checksum."""
    write_text(path, sealed(record))


def sealed(record: Record) -> str:
    """A record as JSON, with a checksum of it."""
    body = record.model_dump_json()
    return f'{{"content": {body}, "crc32": {zlib.crc32(body.encode())}}}\n'


def read_sealed(path: Path, kind: type[R]) -> R | None:
    """What `write_sealed` wrote; None where a byte of it differs, or where there is none."""
    try:
        text = path.read_text(encoding="utf-8")
        record = kind.model_validate(json.loads(text)["content"])
    except (OSError, ValueError, LookupError, TypeError, ValidationError):
        return None
    return record if sealed(record) == text else None


def check_view(folder: Path, view: int, layout: Layout) -> ViewCheck:
    """Compare a view with its checksums."""
    path, nothing = entry_path(folder, view), (None,) * layout.chunks
    if not path.exists():
        return ViewCheck(nothing, ())
    entry = read_sealed(path, View)
    if entry is None or entry.layout != layout or len(entry.chunks) != layout.chunks:
        return ViewCheck(nothing, (f"view {view}: {path.name} is damaged",))
    if not view_path(folder, view).exists():
        return ViewCheck(nothing, (f"view {view}: {view_path(folder, view).name} is gone",))
    return _checked(folder, view, layout, entry)


def read_rows(folder: Path, view: int, layout: Layout, numbers: Sequence[int]) -> Rows:
    """Some rows of a view that may not be complete."""
    length, content = layout.dtype.itemsize, b""
    with view_path(folder, view).open("rb") as file:
        for number in numbers:
            file.seek(len(layout.header) + number * length)
            content += file.read(length)
    base, shape = layout.dtype.subdtype or (layout.dtype, ())
    return np.frombuffer(content, dtype=base).reshape(len(numbers), *shape)


def write_chunk(folder: Path, view: int, layout: Layout, chunk: int, rows: Rows) -> None:
    """Put a chunk's rows into their place, on disk when this returns."""
    mend_frame(folder, view, layout)
    with view_path(folder, view).open("r+b") as file:
        file.seek(len(layout.header) + chunk * layout.chunk_rows * layout.dtype.itemsize)
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def mend_frame(folder: Path, view: int, layout: Layout) -> None:
    """Give a view's file its header, and cut what is too long."""
    path, header = view_path(folder, view), layout.header
    path.touch()
    with path.open("r+b") as file:
        if file.read(len(header)) != header:
            file.seek(0)
            file.write(header)
        if path.stat().st_size > layout.view_bytes:
            file.truncate(layout.view_bytes)


def _checked(folder: Path, view: int, layout: Layout, entry: View) -> ViewCheck:
    path, found, faults = view_path(folder, view), list(entry.chunks), []
    with path.open("rb") as file:
        if file.read(len(layout.header)) != layout.header:
            faults.append(f"view {view}: the header of {path.name} is damaged")
        for number, chunk in enumerate(entry.chunks):
            content = file.read(layout.chunk_bytes(number))
            if chunk is not None and zlib.crc32(content) != chunk.crc32:
                first, end = layout.span(number)
                faults.append(f"view {view}, chunk {number} (images {first:,} to {end - 1:,}) is damaged")
                found[number] = None
        if file.read(1):
            faults.append(f"view {view}: {path.name} is too long")
    return ViewCheck(tuple(found), tuple(faults))
