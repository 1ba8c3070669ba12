"""Checksums of the files that a verdict rests on, kept in run.json, so that what is missing or altered is noticed.

They tell of accidents and of files that were exchanged by hand; who rewrites run.json as well is not noticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from autokd.errors import RunError
from autokd.files import is_file
from autokd.runs.store import remedy


def checksums(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """BLAKE2b with 128 bits of those that there are, by their names below `folder`."""
    return {path.relative_to(folder).as_posix(): _checksum(path) for path in paths if is_file(path)}


def check(folder: Path, known: Mapping[str, str]) -> None:
    """Raises RunError where a file is missing or has another content."""
    for name, expected in known.items():
        path = folder / name
        if not is_file(path):
            raise RunError(f"{path}, which the verdict rests on, is missing; {remedy()}")
        if _checksum(path) != expected:
            raise RunError(f"{path} is not what this run has written: it was altered or exchanged; {remedy()}")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
