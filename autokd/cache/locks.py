"""Locks on entries of the cache: a shared lock on an entry's `.held` file prevents its removal.

An entry is a folder of files. Its modification time is the time of its last use.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autokd.errors import PathError
from autokd.files import make_folder, open_file, opened, refusal
from autokd.progress import Listener

REMOVED = ".removed-"  # prefix of an entry that is being removed


class Hold:
    """Holds entries as long as this object exists. It holds nothing after it was sent to another process."""

    def __init__(self, *folders: Path) -> None:
        self._locks: dict[Path, int] = {}
        self._process = os.getpid()
        for folder in folders:
            self.add(folder)

    def add(self, folder: Path, used: bool = True) -> None:
        """Hold an entry, and create it if it is missing. With `used` its last use is now."""
        folder = folder.resolve()
        if folder not in self._locks:
            self._locks[folder] = _shared(folder)
        if used:
            os.utime(folder)

    def drop(self, folder: Path) -> None:
        """Release one entry."""
        if (lock := self._locks.pop(folder.resolve(), None)) is not None:
            fcntl.flock(lock, fcntl.LOCK_UN)  # a process that was forked meanwhile may keep the file open
            os.close(lock)

    def close(self) -> None:
        """Release all entries."""
        for folder in list(self._locks):
            self.drop(folder)

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not finalizing() and self._process == os.getpid():  # at the end modules are gone, and so are the locks
            self.close()

    def __getstate__(self) -> dict[str, object]:
        return {"_locks": {}, "_process": -1}


def is_held(folder: Path) -> bool:
    """Whether any process holds the entry, this one included; True where that cannot be found out."""
    if not (folder / ".held").exists():
        return False
    try:
        with _alone(folder) as alone:
            return not alone
    except PathError:  # another user's, or a link: it is left alone
        return True


def remove(folder: Path) -> bool:
    """Remove an entry; False if a process holds it."""
    gone = folder.with_name(REMOVED + folder.name)
    with suppress(FileNotFoundError), _alone(folder) as alone:  # another process may remove it too
        if not alone:
            return False
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
    return True


def clear(root: Path) -> None:
    """Finish removals that were interrupted."""
    for gone in root.glob(REMOVED + "*"):
        shutil.rmtree(gone, ignore_errors=True)


def mend(folder: Path) -> None:
    """Remove what makes an entry no folder of files, so that it is made again as if it had been missing."""
    try:
        if folder.is_file():
            folder.unlink()
        for path in folder.iterdir() if folder.is_dir() else ():
            make_way(path)
    except FileNotFoundError:  # removed a moment ago
        return
    except OSError as error:
        raise refusal(folder, error) from None


def make_way(path: Path) -> None:
    """Remove a folder that stands where a file of the cache belongs."""
    try:
        if path.is_symlink() and path.is_dir():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
    except OSError as error:
        raise refusal(path, error) from None


def folder_bytes(folder: Path) -> int:
    """Bytes of the files in an entry."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def one_at_a_time(path: Path, listener: Listener, waiting: str) -> Iterator[None]:
    """One process at a time makes something; another one says that it waits, and then finds it made."""
    with opened(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            listener.note(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared(folder: Path) -> int:
    while True:
        mend(folder)
        make_folder(folder)
        with suppress(FileNotFoundError):  # removed a moment ago
            lock = open_file(folder / ".held")
            fcntl.flock(lock, fcntl.LOCK_SH)
            if _is_at(lock, folder / ".held"):
                return lock
            os.close(lock)


def _is_at(lock: int, path: Path) -> bool:
    """Whether the open file is still the one at `path`; after a removal it no longer is."""
    return path.exists() and os.path.samestat(os.fstat(lock), path.stat())


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process holds the entry; none can until the block ends."""
    mend(folder)
    lock = open_file(folder / ".held")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)
