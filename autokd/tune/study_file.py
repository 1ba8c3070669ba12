"""study.db as a file: how it is opened, and what is said where it is damaged or the disk does not take it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autokd.errors import DiskError, RunError
from autokd.files import opened
from autokd.naming import named, set_to

_OF_THE_DISK = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}  # fmt: skip


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raise RunError for a file that is not a ledger, DiskError where the disk does not take it."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (sqlite3.Error, SQLAlchemyError, OptunaError, RuntimeError, LookupError, ValueError) as error:
        if _is_of_the_disk(error):
            raise _unwritten(path, error) from None
        raise RunError(
            f"{path} is damaged ({_reason(error)}); restore it from a copy of the run folder, or search again with "
            f"another {named('output')}"
        ) from None


@contextmanager
def disk_named(path: Path) -> Iterator[None]:
    """Raise DiskError where a result cannot be put on record."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (sqlite3.Error, SQLAlchemyError, StorageInternalError) as error:
        raise _unwritten(path, error) from None


def _is_of_the_disk(error: BaseException | None) -> bool:
    """Whether SQLite's code says so; optuna and SQLAlchemy pass its error on as the cause of theirs."""
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None:
            return code & 0xFF in _OF_THE_DISK  # the low byte is the primary code
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    return False


def _unwritten(path: Path, error: BaseException) -> DiskError:
    return DiskError(
        f"{path} cannot be written ({_reason(error)}); make room and continue with {set_to('resume', True)}"
    )


def _reason(error: BaseException) -> str:
    """SQLite's own words, where it is SQLite that failed."""
    cause = error.__cause__ or error
    return str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]


def write_ahead(path: Path) -> None:
    """Write-ahead logging, which a kill cannot tear."""
    with opened(path):  # never through a link
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
