"""Image files as a stranger might send them; each is small on disk and made in a moment."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
WMF = b"\xd7\xcd\xc6\x9a\x00\x00" + struct.pack("<4hH4x", 0, 0, 32, 32, 96) + b"\x00\x00\x01\x00\x09\x00" + b"\x00" * 64


def huge_png(width: int, height: int) -> bytes:
    """A PNG that claims so many one-bit pixels, with hardly any behind it."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00" * 1000)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _content(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has to be short
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


def _sparse(path: Path) -> None:
    """A WebP of a terabyte that takes no room; Pillow reads a WebP whole."""
    with path.open("wb") as file:
        file.write(b"RIFF\xff\xff\xff\xffWEBPVP8 ")
        file.truncate(10**12)


# What it is -> (how it is made, what the sentence says of it)
NOT_IMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "EPS, for which Pillow runs Ghostscript": (_content(EPS), "it is not a JPEG, PNG, .* or PPM file"),
    "WMF": (_content(WMF), "it is not a JPEG"),
    "PDF": (_content(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), "it is not a JPEG"),
    "a pipe": (os.mkfifo, "it is not a regular file"),
    "a socket": (_socket, "it is not a regular file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
    "a link to a terminal": (lambda path: path.symlink_to("/dev/tty"), "it is not a regular file"),
    "a link to a file of /proc": (lambda path: path.symlink_to("/proc/self/mem"), "it is empty"),
    "a link to itself": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    "a link to nothing": (lambda path: path.symlink_to(path.with_name("nothing")), "No such file"),
    "a folder": (Path.mkdir, "it is not a regular file"),
    "a terabyte": (_sparse, "it has 1,000,000,000,000 bytes, more than the 500,000,000 that are read"),
    "a square of 13,000 px": (
        _content(huge_png(13_000, 13_000)),
        "it has 13,000 x 13,000 pixels, more than the 89",
    ),
    "a square of 2 billion px": (_content(huge_png(2**31 - 1, 2**31 - 1)), "more than the 89 million pixels"),
    "a picture without pixels": (_content(huge_png(0, 5)), "it is not a JPEG|it has no pixels"),
}


def thin(path: Path, length: int = 65_000) -> None:
    """One pixel high."""
    Image.new("RGB", (length, 1), (200, 10, 30)).save(path)
