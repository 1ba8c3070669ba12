"""The first look at all images: each is decoded once, for a fingerprint of the pixels, and kept where they are few."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from autokd.cache.locks import mend
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.data.dataset import UNREADABLE
from autokd.data.image_store import Indices
from autokd.data.open_image import UnreadableImage
from autokd.data.shapes import Pixels, Shapes, hashed, lengths, starts, strips
from autokd.data.streaming import Source, cut
from autokd.data.workers import Result, Work, Workers
from autokd.errors import ChangedData
from autokd.files import digest, make_folder
from autokd.machine import Stopwatch
from autokd.progress import Listener
from autokd.records import Record

FORMAT = 3
CHECKED = 4_096  # images between two messages while those that are kept are checked
PIECE = 128  # images between two messages of a process
ALONE_SECONDS = 0.5  # of decoding in this process, several times what starting others takes, before others help
UNFINISHED = ".decoding-"
DAY = 86_400  # seconds

HASHES = "hashes.npy"  # the SHA-256 of every image, uint8 [N, 32]
SHAPES = "shapes.npy"  # of every image, see Shapes; there is none where all are squares


class Known(NamedTuple):
    """What the first look has found."""

    path: Path | None  # of the decoded images, see ResidentImages; None where they are not kept
    hashes: bytes  # the SHA-256 of every image's pixels, laid end to end
    corrupt: list[int]  # numbers of the images that cannot be read, which are kept as black ones
    shapes: Shapes | None  # None: all images are squares


class _Piece(NamedTuple):
    """A known piece of the images; fields as in Known."""

    hashes: bytes
    corrupt: list[int]
    shapes: Shapes


class _Room(NamedTuple):
    """Where decoded images are put, one by one: [N, 3, size, size], or strips with where each image's begin."""

    array: Pixels
    starts: Indices | None

    def put(self, index: int, pixels: Pixels) -> None:
        """Raises UnreadableImage for an image that has changed its shape since it was measured."""
        if self.starts is None:
            place = self.array[index]
        else:
            place, pixels = self.array[self.starts[index] : self.starts[index + 1]], strips(pixels)
        if place.shape != pixels.shape:
            raise UnreadableImage("it has changed")
        place[:] = pixels


class Look(Record):
    """meta.json: what the first look has found."""

    content: str  # fingerprint of all pixels
    corrupt: tuple[int, ...]  # numbers of the images that cannot be read


def decode_all(
    read: Source, identity: str | None, resident: bool, cache_dir: Path, workers: int, listener: Listener
) -> Known:
    """Decode every image once, and keep them decoded where `resident`.

    With an `identity` of the data this is remembered, and then nothing is decoded; an array that is kept is compared
    with its hashes.
    """
    root = cache_dir / "images"
    key = digest(FORMAT, identity, len(read), *read.how) if identity else None
    if key and _is_there(root / key, resident):
        if (known := _known(root / key, resident, read, listener)) is not None:
            return known
        listener.note(
            f"The decoded images kept in {root / key} are damaged or of another version; they are decoded again."
        )
    with _workplace(root) as work:
        room = _new_room(work / "images.npy", read, workers, listener) if resident else None
        found = _decode(read, room, workers, listener)
        shapes = None if (found.shapes == read.size).all() else found.shapes
        if room is not None and room.array.shape != _array_shape(read, shapes):
            raise ChangedData("images have changed while they were decoded; start the search again")
        np.save(work / HASHES, np.frombuffer(found.hashes, dtype=np.uint8).reshape(-1, 32))
        if shapes is not None:
            np.save(work / SHAPES, shapes)
        content = content_of(found.hashes, shapes)
        write_sealed(work / "meta.json", Look(content=content, corrupt=tuple(found.corrupt)))
        final = root / (key or digest(FORMAT, content, *read.how))
        _put(work, final, resident, read, listener)
    return Known(final / "images.npy" if resident else None, found.hashes, found.corrupt, shapes)


def content_of(hashes: bytes, shapes: Shapes | None) -> str:
    """Fingerprint of all pixels, from the images' hashes and shapes."""
    return hashlib.sha256(hashes if shapes is None else hashes + shapes.tobytes()).hexdigest()[:16]


def _is_there(folder: Path, resident: bool) -> bool:
    """Whether something is kept, sound or not."""
    mend(folder)
    return (folder / "meta.json").exists() and (not resident or (folder / "images.npy").exists())


def _known(folder: Path, resident: bool, read: Source, listener: Listener) -> Known | None:
    """What is kept; None where it is incomplete or any bit of it has changed."""
    look, hashes = read_sealed(folder / "meta.json", Look), _array(folder / HASHES, (len(read), 32))
    shapes = _array(folder / SHAPES, (len(read), 2), "int32")
    if look is None or hashes is None or content_of(kept := hashes.tobytes(), shapes) != look.content:
        return None
    if resident:
        pixels = _array(folder / "images.npy", _array_shape(read, shapes))
        if pixels is None or _hashes(pixels, shapes, len(read), listener) != kept:
            return None
    os.utime(folder)
    return Known(folder / "images.npy" if resident else None, kept, list(look.corrupt), shapes)


def _array_shape(read: Source, shapes: Shapes | None) -> tuple[int, ...]:
    """Of the decoded images, see ResidentImages."""
    if shapes is None:
        return len(read), 3, read.size, read.size
    return int(lengths(shapes).sum()), 3, read.size


def _array(path: Path, shape: tuple[int, ...], kind: str = "uint8") -> npt.NDArray[Any] | None:
    """The array in a file, mapped; None where it holds no such array."""
    try:
        array = np.load(path, mmap_mode="r")
    except (EOFError, OSError, ValueError):
        return None
    return np.asarray(array) if array.shape == shape and array.dtype == kind else None


def _hashes(array: Pixels, shapes: Shapes | None, total: int, listener: Listener) -> bytes:
    """Of every image, as decoding computes them."""
    hashes = bytearray()
    places = None if shapes is None else starts(lengths(shapes))
    for index in range(total):
        if index and index % CHECKED == 0:
            listener.advance("checking decoded images", index, total, None)
        pixels = array[index] if places is None else hashed(array[places[index] : places[index + 1]])
        hashes += hashlib.sha256(pixels.data).digest()
    return bytes(hashes)


def _new_room(path: Path, read: Source, workers: int, listener: Listener) -> _Room:
    """Mapped and shared: what a forked process writes is in the file."""
    measured = _measured(read, workers, listener) if read.whole else [read.size]
    places = None if set(measured) == {read.size} else starts(measured)
    shape = _array_shape(read, None) if places is None else (int(places[-1]), 3, read.size)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    _take_disk(path)
    return _Room(array, places)


def _take_disk(path: Path) -> None:
    """All of it now, with an OSError where there is too little: a page that finds none later kills the process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _measured(read: Source, workers: int, listener: Listener) -> list[int]:
    """The length of every image."""
    measured: list[int] = []
    for more in _pieces(read, partial(_measure, read), workers):
        measured += more
        listener.advance("measuring images", len(measured), len(read), None)
    return measured


def _decode(read: Source, room: _Room | None, workers: int, listener: Listener) -> _Piece:
    hashes, corrupt, shapes = bytearray(), list[int](), list[Shapes]()
    listener.advance("decoding images", 0, len(read), None)
    for piece in _pieces(read, partial(_hash_and_store, read, room), workers):
        hashes += piece.hashes
        corrupt += piece.corrupt
        shapes.append(piece.shapes)
        listener.advance("decoding images", len(hashes) // 32, len(read), None)
    if room is not None and isinstance(room.array, np.memmap):
        room.array.flush()
    return _Piece(bytes(hashes), corrupt, np.concatenate(shapes))


def _pieces(read: Source, work: Work[Result], workers: int) -> Iterator[Result]:
    """All pieces in order: by this process for a while, which is all that few images need, then by others."""
    pieces, watch = cut(np.arange(len(read)), PIECE), Stopwatch()
    alone = 0
    while alone < len(pieces) and (workers == 0 or watch.seconds < ALONE_SECONDS):
        yield work(pieces[alone])
        alone += 1
    if alone < len(pieces):
        yield from Workers(work, workers).run(pieces[alone:])


def _measure(read: Source, indices: Indices) -> list[int]:
    return [read.length(index) for index in indices.tolist()]


def _hash_and_store(read: Source, room: _Room | None, indices: Indices) -> _Piece:
    hashes, unreadable, shapes = bytearray(), [], []
    for index in indices.tolist():
        try:
            pixels = read(index)
            if room is not None:
                room.put(index, pixels)
        except UNREADABLE:
            pixels = np.zeros((3, read.length(index), read.size), dtype=np.uint8)
            unreadable.append(index)
        square = pixels.shape[1] == pixels.shape[2]
        hashes += hashlib.sha256((pixels if square else strips(pixels)).data).digest()
        shapes.append(pixels.shape[1:])
    return _Piece(bytes(hashes), unreadable, np.array(shapes, dtype=np.int32))


def _put(work: Path, final: Path, resident: bool, read: Source, listener: Listener) -> None:
    """Give decoded images their name, unless another process has just done so; what is incomplete there gives way."""
    try:
        work.rename(final)
    except OSError:
        if _known(final, resident, read, listener) is None:
            shutil.rmtree(final)
            work.rename(final)


@contextmanager
def _workplace(root: Path) -> Iterator[Path]:
    """A new folder to decode into, locked while this process lives; those of processes that were killed are removed."""
    make_folder(root)
    with _locked(root):
        for left in root.glob(f"{UNFINISHED}*"):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        work = root / f"{UNFINISHED}{secrets.token_hex(4)}"
        make_folder(work)
        handle = os.open(work, os.O_RDONLY)
        with suppress(OSError):  # some network disks lock no folders
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield work
    finally:
        os.close(handle)
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _abandoned(folder: Path) -> bool:
    """Whether no living process decodes into it; where locks cannot tell, whether it is older than a day."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - folder.stat().st_mtime > DAY
    finally:
        os.close(handle)
    return True
