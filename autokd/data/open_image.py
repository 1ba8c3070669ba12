"""The one place where images are opened. Nothing in a file is run, waits for ever, or takes memory without a limit."""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

from PIL import Image, ImageOps, UnidentifiedImageError

from autokd.formatting import escaped

# Told by the content, whatever the name says. Not EPS, for which Pillow starts Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
MAX_PIXELS = 89_478_485  # Pillow's own limit, above which it warns of a decompression bomb
MAX_BYTES = 500_000_000  # of a file: some formats are read whole

T = TypeVar("T")
Stamp = tuple[int, int]  # of a file: its size in bytes, and when it was changed, in nanoseconds since the epoch


class UnreadableImage(ValueError):
    """An image cannot be read; the message says why, without its name."""


# What Pillow raises for damaged files; a fuzzed file may fail anywhere in its plugins.
_FAILURES = (
    OSError,
    ValueError,
    SyntaxError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)


def open_image(source: str | Path | bytes, stamp: Stamp | None = None) -> Image.Image:
    """Decode a file, or the bytes of one, completely, so that a truncated one fails here; its first frame.

    Only regular files are opened (a link to one counts), for a pipe would wait for a writer.
    Raises UnreadableImage, also for a file whose stamp is not the one given.
    """
    return _opened(source, stamp, _decoded)


def open_sides(source: str | Path | bytes) -> tuple[int, int]:
    """Pixels of the two sides as the header says, without decoding: not yet upright, so in either order.

    Raises UnreadableImage as `open_image` does.
    """
    return _opened(source, None, lambda image: image.size)


def _opened(source: str | Path | bytes, stamp: Stamp | None, then: Callable[[Image.Image], T]) -> T:
    if isinstance(source, bytes):
        return _of_file(io.BytesIO(source), then)
    try:
        status = os.stat(source)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("it is not a regular file")
        if not status.st_size:  # those of /proc too, some of which wait
            raise UnreadableImage("it is empty")
        if status.st_size > MAX_BYTES:
            raise UnreadableImage(f"it has {status.st_size:,} bytes, more than the {MAX_BYTES:,} that are read")
        with open(source, "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            if stamp is not None and stamp != (status.st_size, status.st_mtime_ns):
                raise UnreadableImage("it has changed")
            return _of_file(file, then)
    except OSError as error:
        raise UnreadableImage(error.strerror or _one_line(error)) from None


def checked_size(image: Image.Image) -> Image.Image:
    """The same image; raises UnreadableImage where it has no pixels, or more than MAX_PIXELS."""
    width, height = image.size
    if not width * height:
        raise UnreadableImage("it has no pixels")
    if width * height > MAX_PIXELS:
        raise UnreadableImage(
            f"it has {width:,} x {height:,} pixels, more than the {MAX_PIXELS / 1e6:.0f} million that are read"
        )
    return image


def _decoded(image: Image.Image) -> Image.Image:
    image.load()
    return _upright(image)


def _of_file(file: IO[bytes], then: Callable[[Image.Image], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs, which `checked_size` refuses; of odd metadata
            with Image.open(file, formats=FORMATS) as image:
                return then(checked_size(image))
    except UnidentifiedImageError:
        raise UnreadableImage(f"it is not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file") from None
    except Image.DecompressionBombError:
        raise UnreadableImage(f"it has far more than the {MAX_PIXELS / 1e6:.0f} million pixels that are read") from None
    except UnreadableImage:
        raise
    except _FAILURES as error:
        raise UnreadableImage(_one_line(error)) from None


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera noted, where it did; odd metadata turn nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except _FAILURES:
        return image


def _one_line(error: BaseException) -> str:
    return escaped(" ".join(str(error).split())) or type(error).__name__
