"""JSON files of the cache that carry a checksum of themselves: what is read is what was written, or nothing."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from autokd.files import write_text
from autokd.records import Record

R = TypeVar("R", bound=Record)


def write_sealed(path: Path, record: Record) -> None:
    """Write a record and its checksum."""
    write_text(path, sealed(record))


def sealed(record: Record) -> str:
    """A record as JSON, with a checksum of it."""
    body = record.model_dump_json()
    return f'{{"content": {body}, "crc32": {zlib.crc32(body.encode())}}}\n'


def read_sealed(path: Path, kind: type[R]) -> R | None:
    """What `write_sealed` wrote; None if the file is missing or any byte of it differs."""
    try:
        text = path.read_text(encoding="utf-8")
        record = kind.model_validate(json.loads(text)["content"])
    except (OSError, ValueError, LookupError, TypeError, ValidationError, RecursionError):
        return None
    return record if sealed(record) == text else None
