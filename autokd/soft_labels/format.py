"""Soft labels on disk: a file a view, written and checked in chunks.

    about.json        whose soft labels these are
    view-0000.npy     one row an image: fp16 [images, classes], or the largest logits only (see `Layout.dtype`)
    view-0000.json    the view's chunks, each with checksum, device seconds and the time when it was written

A chunk's bytes are on disk before the view's JSON file names it. JSON files carry a checksum of themselves.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from autokd.cache.sealed import read_sealed
from autokd.cache.soft_label_entry import Chunk, Layout, View
from autokd.files import open_file, refusal
from autokd.records import Record

BATCH = 128  # images of one pass through the teacher
CHUNK_BATCHES = 16  # so a kill loses 2,048 images at most, and a chunk is at most 4 MB

Rows = npt.NDArray[Any]


class Fault(Record):
    """Something wrong with stored soft labels.

    about, entry: the JSON file of the set, of a view; rows: a view's file is missing; header, length: of that file;
    chunk: its checksum differs; logits: its checksum holds, but the teacher computes something else.
    """

    kind: Literal["about", "entry", "rows", "header", "length", "chunk", "logits"]
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class ViewCheck:
    """A view as it is on disk: of each chunk its entry where file and checksum agree, and every fault."""

    chunks: tuple[Chunk | None, ...]
    faults: tuple[Fault, ...]

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


def check_view(folder: Path, view: int, layout: Layout) -> ViewCheck:
    """Compare a view with its checksums."""
    path, nothing = entry_path(folder, view), (None,) * layout.chunks
    if not path.exists():
        return ViewCheck(nothing, ())
    entry = read_sealed(path, View)
    if entry is None or entry.layout != layout or len(entry.chunks) != layout.chunks:
        return ViewCheck(nothing, (Fault(kind="entry", text=f"view {view}: {path.name} is damaged"),))
    if not view_path(folder, view).exists():
        missing = Fault(kind="rows", text=f"view {view}: {view_path(folder, view).name} is gone")
        return ViewCheck(nothing, (missing,))
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
    with _to_change(view_path(folder, view)) as file:
        file.seek(len(layout.header) + chunk * layout.chunk_rows * layout.dtype.itemsize)
        file.write(rows.tobytes())
        file.flush()
        os.fsync(file.fileno())


def mend_frame(folder: Path, view: int, layout: Layout) -> None:
    """Give a view's file its header, and cut what is too long."""
    path, header = view_path(folder, view), layout.header
    with _to_change(path) as file:
        if file.read(len(header)) != header:
            file.seek(0)
            file.write(header)
        if path.stat().st_size > layout.view_bytes:
            file.truncate(layout.view_bytes)


@contextmanager
def _to_change(path: Path) -> Iterator[BinaryIO]:
    """A view's file, made where it is missing; raises DiskError where the disk is full."""
    try:
        with os.fdopen(open_file(path), "r+b") as file:
            yield file
    except OSError as error:
        raise refusal(path, error) from None


def _checked(folder: Path, view: int, layout: Layout, entry: View) -> ViewCheck:
    path, found, faults = view_path(folder, view), list(entry.chunks), list[Fault]()
    with path.open("rb") as file:
        if file.read(len(layout.header)) != layout.header:
            faults.append(Fault(kind="header", text=f"view {view}: the header of {path.name} is damaged"))
        for number, chunk in enumerate(entry.chunks):
            content = file.read(layout.chunk_bytes(number))
            if chunk is not None and zlib.crc32(content) != chunk.crc32:
                first, end = layout.span(number)
                text = f"view {view}, chunk {number} (images {first:,} to {end - 1:,}) is damaged"
                faults.append(Fault(kind="chunk", text=text))
                found[number] = None
        if file.read(1):
            faults.append(Fault(kind="length", text=f"view {view}: {path.name} is too long"))
    return ViewCheck(tuple(found), tuple(faults))
