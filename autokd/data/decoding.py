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

import numpy as np

from autokd.cache.locks import mend
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.data.dataset import UNREADABLE
from autokd.data.image_store import Indices, Pixels
from autokd.data.streaming import PartsReader, Reader, cut
from autokd.data.workers import Workers
from autokd.files import digest, make_folder
from autokd.machine import Stopwatch
from autokd.progress import Listener
from autokd.records import Record

FORMAT = 2
CHECKED = 4_096  # images between two messages while those that are kept are checked
PIECE = 128  # images between two messages of a process
ALONE_SECONDS = 0.5  # of decoding in this process, several times what starting others takes, before others help
UNFINISHED = ".decoding-"
DAY = 86_400  # seconds

HASHES = "hashes.npy"  # the SHA-256 of every image, uint8 [N, 32]

Known = tuple[Path | None, bytes, list[int]]
Hashes = tuple[bytes, list[int]]  # of a piece: the SHA-256 of each image, and the numbers of the unreadable ones


class Look(Record):
    """meta.json: what the first look has found."""

    content: str  # fingerprint of all pixels
    corrupt: tuple[int, ...]  # numbers of the images that cannot be read


def decode_all(
    read: PartsReader, identity: str | None, resident: bool, cache_dir: Path, workers: int, listener: Listener
) -> Known:
    """Decode every image once.

    Returns (path of the uint8 array [N, 3, size, size], or None unless `resident`; the SHA-256 of every image's
    pixels, laid end to end; numbers of the images that cannot be read, whose rows are zero). With an `identity` of
    the data this is remembered, and then nothing is decoded; an array that is kept is compared with its hashes.
    """
    root = cache_dir / "images"
    key = digest(FORMAT, identity, len(read), read.size, read.interpolation) if identity else None
    if key and _is_there(root / key, resident):
        if (known := _known(root / key, resident, read, listener)) is not None:
            return known
        listener.note(
            f"The decoded images kept in {root / key} are damaged or of another version; they are decoded again."
        )
    with _workplace(root) as work:
        array = _new_array(work / "images.npy", len(read), read.size) if resident else None
        hashes, corrupt = _decode(read, array, workers, listener)
        if array is not None:
            array.flush()
        np.save(work / HASHES, np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 32))
        content = fingerprint(hashes)
        write_sealed(work / "meta.json", Look(content=content, corrupt=tuple(corrupt)))
        final = root / (key or digest(FORMAT, content, read.size, read.interpolation))
        _put(work, final, resident, read, listener)
    return (final / "images.npy" if resident else None), hashes, corrupt


def fingerprint(hashes: bytes) -> str:
    """Of all pixels, from the hashes of the images."""
    return hashlib.sha256(hashes).hexdigest()[:16]


def _is_there(folder: Path, resident: bool) -> bool:
    """Whether something is kept, sound or not."""
    mend(folder)
    return (folder / "meta.json").exists() and (not resident or (folder / "images.npy").exists())


def _known(folder: Path, resident: bool, read: PartsReader, listener: Listener) -> Known | None:
    """What is kept; None where it is incomplete or any bit of it has changed."""
    look, hashes = read_sealed(folder / "meta.json", Look), _array(folder / HASHES, (len(read), 32))
    if look is None or hashes is None or fingerprint(kept := hashes.tobytes()) != look.content:
        return None
    if resident:
        pixels = _array(folder / "images.npy", (len(read), 3, read.size, read.size))
        if pixels is None or _hashes(pixels, listener) != kept:
            return None
    os.utime(folder)
    return (folder / "images.npy" if resident else None), kept, list(look.corrupt)


def _array(path: Path, shape: tuple[int, ...]) -> Pixels | None:
    """The array of bytes in a file, mapped; None where it holds no such array."""
    try:
        array = np.load(path, mmap_mode="r")
    except (EOFError, OSError, ValueError):
        return None
    return np.asarray(array) if array.shape == shape and array.dtype == np.uint8 else None


def _hashes(array: Pixels, listener: Listener) -> bytes:
    """Of every image, as decoding computes them."""
    hashes = bytearray()
    for start in range(0, len(array), CHECKED):
        if start:
            listener.advance("checking decoded images", start, len(array), None)
        hashes += b"".join(hashlib.sha256(pixels.data).digest() for pixels in array[start : start + CHECKED])
    return bytes(hashes)


def _new_array(path: Path, total: int, size: int) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    """Mapped and shared: what a forked process writes is in the file."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(total, 3, size, size))


def _decode(read: PartsReader, array: Pixels | None, workers: int, listener: Listener) -> tuple[bytes, list[int]]:
    hashes, corrupt = bytearray(), list[int]()
    listener.advance("decoding images", 0, len(read), None)
    for more, unreadable in _pieces(read, array, workers):
        hashes += more
        corrupt += unreadable
        listener.advance("decoding images", len(hashes) // 32, len(read), None)
    return bytes(hashes), corrupt


def _pieces(read: PartsReader, array: Pixels | None, workers: int) -> Iterator[Hashes]:
    """All pieces in order: by this process for a while, which is all that few images need, then by others."""
    pieces, watch = cut(np.arange(len(read)), PIECE), Stopwatch()
    work = partial(_hash_and_store, read, array)
    alone = 0
    while alone < len(pieces) and (workers == 0 or watch.seconds < ALONE_SECONDS):
        yield work(pieces[alone])
        alone += 1
    if alone < len(pieces):
        yield from Workers(work, workers).run(pieces[alone:])


def _hash_and_store(read: Reader, array: Pixels | None, indices: Indices) -> Hashes:
    hashes, unreadable = bytearray(), []
    blank = np.zeros((3, read.size, read.size), dtype=np.uint8)
    for index in indices.tolist():
        try:
            pixels = read(index)
        except UNREADABLE:
            pixels = blank
            unreadable.append(index)
        if array is not None:
            array[index] = pixels
        hashes += hashlib.sha256(pixels.data).digest()
    return bytes(hashes), unreadable


def _put(work: Path, final: Path, resident: bool, read: PartsReader, listener: Listener) -> None:
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
