"""What is said of an error that nobody expected: one sentence, and the traceback in a file."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

from autokd.files import is_full
from autokd.formatting import file_size
from autokd.machine import now, versions
from autokd.naming import named

_ASKED = re.compile(r"(?:tried to allocate|allocate) ([\d.]+) ?(bytes|[KMGTP]iB)", re.IGNORECASE)
_FULL = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")
_UNITS = {"bytes": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50}


def sentence(error: Exception) -> str:
    """The sentence; the file is written here."""
    if is_memory(error):
        options = ", ".join(named(name) for name in ("resident_gb", "batch_size", "image_size", "serve_batch_size"))
        return (
            f"there is not enough memory{_asked(str(error))}; give a smaller {options} or {named('workers')}, "
            f"or a machine with more{_logged(error)}"
        )
    if is_full(error):
        return f"the disk is full; make room on it, and go on with --resume{_logged(error)}"
    text = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"an error that autokd did not expect ({what}){_logged(error)}; please report it with that file"


def is_memory(error: BaseException) -> bool:
    """Whether the memory was not enough, of the processor or of an accelerator."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(words in str(error) for words in _FULL)


def _asked(text: str) -> str:
    found = _ASKED.search(text)
    if found is None:
        return ""
    return f": {file_size(int(float(found[1]) * _UNITS[found[2].lower()]))} were asked for at once"


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
