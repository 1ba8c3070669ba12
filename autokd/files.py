"""Folders, atomic writes, JSON, content hashes: whatever autokd puts on a disk is put there by this file."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from autokd.errors import CacheError, DiskError, PathError, RunError


def make_folder(path: Path) -> None:
    """Make a folder and those above it where they are missing; an OSError becomes one sentence about the path."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path, error) from None


def check_folder(path: Path) -> None:
    """Raises PathError where something other than a folder stands at `path`; nothing is made."""
    try:
        missing = not path.is_symlink() and not path.exists()
        if not missing and not path.is_dir():
            raise refusal(path, NotADirectoryError(errno.ENOTDIR, ""))
    except OSError as error:
        raise refusal(path, error) from None


def is_new(folder: Path) -> bool:
    """Whether a folder is absent or empty; raises PathError where something else is there, or one may not look."""
    check_folder(folder)
    try:
        return not folder.exists() or not any(folder.iterdir())
    except OSError as error:
        raise refusal(folder, error) from None


def is_file(path: Path) -> bool:
    """Whether a file is there; False too for a name that no file can have.

    Raises PathError where one may not look.
    """
    try:
        return path.is_file()
    except PermissionError as error:
        raise refusal(path, error) from None
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there, as `is_file` tells it of a file."""
    try:
        return path.is_dir()
    except PermissionError as error:
        raise refusal(path, error) from None
    except (OSError, ValueError):
        return False


def write_text(path: Path, text: str) -> None:
    """Write a file atomically: it is never there in part, even after a kill."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: it is never there in part, even after a kill."""
    try:
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise refusal(path, error) from None


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends, flushed to the disk before; or else is removed.

    A link at `path` is replaced, not followed. Raises what the block and the disk raise; PathError or DiskError where
    no folder can be made.
    """
    make_folder(path.parent)
    work = _beside(path)
    try:
        with work.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        work.replace(path)
    except BaseException:
        _discard(work)
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder that takes the place of `path` when the block ends, or else is removed.

    What another library wrote into it gets the permissions that new files have here. What the block raises passes;
    otherwise it raises PathError or DiskError with one sentence about the path.
    """
    work = _beside(path)
    make_folder(work)
    try:
        yield work
        try:
            _share(work)
            if path.is_symlink() or path.is_file():
                path.unlink()
            elif path.exists():
                shutil.rmtree(path)
            work.replace(path)
        except OSError as error:
            raise refusal(path, error) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove, at any depth, what killed processes have left half-written; nobody else may be writing there."""
    for parent, folders, files in os.walk(folder):
        for name in filter(_LEFT.fullmatch, files):
            _discard(Path(parent, name))
        for name in filter(_LEFT.fullmatch, folders):
            shutil.rmtree(Path(parent, name), ignore_errors=True)


@contextmanager
def opened(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> Iterator[int]:
    """A descriptor of a regular file that is changed in place; never of what a link points to. Nothing is cut off.

    Raises FileNotFoundError where the folder is gone, else PathError or DiskError with one sentence about the path.
    """
    descriptor = open_file(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(path: Path, flags: int = os.O_RDWR | os.O_CREAT) -> int:
    """What `opened` gives, for a caller that closes it."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refusal(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PathError(f"{path} is not a regular file, so nothing is written to it; remove it")
    return descriptor


def write_all(descriptor: int, path: Path, content: bytes) -> None:
    """Write all of `content` where the file of `opened` stands; raises as `opened` does."""
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
    except OSError as error:
        raise refusal(path, error) from None


def check_regular(folder: Path, links: bool = False) -> None:
    """Raises PathError for anything below `folder` that is neither a file nor a folder; for links unless allowed.

    A link that is allowed has to lead to a file or a folder, or nowhere.
    """
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) and not links:
                raise PathError(
                    f"{path} is a symbolic link, and nothing is written through one; "
                    "put what it points to in its place, or remove it"
                )
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode) and not _leads_to_regular(path):
                raise PathError(f"{path} is neither a file nor a folder; remove it")


def refusal(path: Path, error: OSError) -> PathError | DiskError:
    """The sentence for a file or a folder that cannot be made, opened or written, by the reason."""
    shown = _shortened(path)
    if is_full(error):
        return DiskError(f"{shown} cannot be written: the disk is full; make room on it, or choose another folder")
    if error.errno == errno.EROFS:
        return PathError(f"{shown} cannot be written: its disk is read-only; choose another folder")
    if error.errno in (errno.EACCES, errno.EPERM):
        return PathError(f"{shown} cannot be used: you may not read or write there; choose another folder")
    if error.errno == errno.ENAMETOOLONG:
        return PathError(f"{shown} cannot be made: its name is too long; choose a shorter one")
    if error.errno == errno.ELOOP:
        link = next((each for each in (path, *path.parents) if each.is_symlink()), path)
        return PathError(f"{_shortened(link)} is a symbolic link that is not followed; remove it")
    if error.errno in (errno.EISDIR, errno.ENOTEMPTY):
        return PathError(f"{shown} is a folder where a file belongs; move it away")
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        at = next((each for each in (path, *path.parents) if _stands(each) and not each.is_dir()), path)
        if at.is_symlink() and not at.exists():
            return PathError(f"{_shortened(at)} is a symbolic link that leads to no folder; remove it")
        return PathError(f"{_shortened(at)} is a file where a folder belongs; move it away, or choose another folder")
    if error.errno == errno.ENOENT:
        return PathError(f"{shown} cannot be made there; choose another folder")
    return DiskError(f"{shown} cannot be written ({error.strerror or error}); check the disk, or choose another folder")


def is_full(error: BaseException) -> bool:
    """Whether there was no room on the disk."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


_LEFT = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # the name of what `replacing` has not finished


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")


def _discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _share(folder: Path) -> None:
    """Give every file the permissions that the umask leaves to a new one."""
    probe = _beside(folder / "probe")
    probe.touch()
    mode = stat.S_IMODE(probe.stat().st_mode)
    probe.unlink()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(mode)


def _leads_to_regular(link: Path) -> bool:
    """Whether a link leads to a file, a folder or nowhere, rather than to a pipe or a device."""
    return link.is_symlink() and (link.is_file() or link.is_dir() or not link.exists())


def _stands(path: Path) -> bool:
    try:
        path.lstat()
    except OSError:
        return False
    return True


def _shortened(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 200 else f"{text[:120]}...{text[-40:]}"


def read_json(path: Path) -> Any:
    """Read JSON from a run folder; raises RunError for a file that is missing or damaged."""
    try:
        return _parsed(path)
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({_why(error)}): the run folder is damaged; "
            "restore it from a copy, or start a new search"
        ) from None


def read_cache_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from the cache; raises CacheError for a file that is missing or damaged."""
    try:
        content = _parsed(path)
    except (OSError, ValueError, RecursionError) as error:
        raise damaged_in_cache(path, _why(error)) from None
    if not isinstance(content, dict):
        raise damaged_in_cache(path, "it holds no JSON object")
    return content


def _parsed(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)


def _no_number(word: str) -> None:
    """`write_json` writes null instead."""
    raise ValueError(f"{word} is not JSON")


def _why(error: Exception) -> str:
    """In a few words, and without the name of the file."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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
