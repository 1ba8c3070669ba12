"""What is said of an error that nobody expected: one sentence, and the traceback in a file."""

from __future__ import annotations

import shlex
import sys
import tempfile
import traceback
from pathlib import Path

from autokd.files import is_full
from autokd.machine import now, versions
from autokd.memory import is_memory, too_little


def sentence(error: Exception) -> str:
    """The sentence; the file is written here."""
    if is_memory(error):
        return f"{too_little(str(error))}{_logged(error)}"
    if is_full(error):
        return f"the disk is full; make room on it, and go on with --resume{_logged(error)}"
    text = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"an error that autokd did not expect ({what}){_logged(error)}; please report it with that file"


def _logged(error: Exception) -> str:
    """Where the traceback is; a file that only its owner can read, because it may quote paths and settings."""
    command = shlex.join(["autokd", *sys.argv[1:]])
    about = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = traceback.format_exception(error)
    try:
        with tempfile.NamedTemporaryFile("w", prefix="autokd-", suffix=".log", delete=False, encoding="utf-8") as file:
            file.write(f"{now()} {command}\n{about}\n\n{''.join(lines)}")
    except OSError:
        return "; `autokd --debug` with the same command shows where it comes from"
    return f"; {Path(file.name)} tells where it comes from"
