"""Atomic writes, JSON, content hashes."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from autokd.errors import CacheError, RunError


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: it is never there in part, even after a kill."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: it is never there in part, even after a kill."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # noqa: PTH101 - mkstemp makes it private; a run is meant to be shared
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Read JSON from a run folder; raises RunError for a file that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} cannot be read ({error}): the run folder is damaged; restore it from a copy, or start a new search"
        ) from None


def read_cache_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from the cache; raises CacheError for a file that is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged_in_cache(path, error) from None
    if not isinstance(content, dict):
        raise damaged_in_cache(path, "it holds no JSON object")
    return content


def damaged_in_cache(path: Path, reason: object) -> CacheError:
    """The error for a damaged file of a cache entry. A missing entry is made again, so the user can remove it."""
    return CacheError(
        f"{path} in the cache cannot be read ({reason}); remove {path.parent}; a search that needs it makes it again"
    )


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically; infinity and NaN become null."""
    write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False, default=str) + "\n")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of the parts' text; names content-addressed files."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:16]
