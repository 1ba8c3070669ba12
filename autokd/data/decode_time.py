"""How long it takes to turn one of the user's own pictures into pixels, which a server does for every request."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

from autokd.data.dataset import UNREADABLE, Part
from autokd.data.streaming import PartsReader, Shown
from autokd.errors import CacheError
from autokd.files import read_cache_json, write_text
from autokd.machine import Stopwatch, processor_name

FILE = "decoding.json"
IMAGES, SECONDS = 200, 2.0  # of a measurement, at most; one image beyond the warm-up is timed in any case
WARM_UP = 5


def decode_milliseconds(part: Part, shown: Shown) -> float | None:
    """Mean milliseconds of one core for an encoded image: opened, decoded and resized; None where none is encoded.

    Images are taken from all over the part, each read once before, so that the disk does not count.
    """
    if part.measure is None:  # arrays, which need no decoding
        return None
    read = PartsReader([part], *shown)
    step = max(1, len(part) // (IMAGES + WARM_UP))
    times: list[float] = []
    whole = Stopwatch()
    for index in range(0, len(part), step):
        try:
            read(index)
            watch = Stopwatch()
            read(index)
            times.append(1000 * watch.seconds)
        except UNREADABLE:
            continue
        if len(times) >= IMAGES + WARM_UP or (len(times) > WARM_UP and whole.seconds > SECONDS):
            break
    return mean(times[WARM_UP:]) if len(times) > WARM_UP else None


def keep_decode_time(folder: Path, milliseconds: float | None) -> None:
    """In the folder of a task, for processors like this one: a cache may be shared between machines."""
    write_text(folder / FILE, json.dumps({"milliseconds": milliseconds, "cpu": processor_name()}) + "\n")


def knows_decode_time(folder: Path) -> bool:
    """Whether it was looked at before on such a processor, with or without an answer."""
    return _kept(folder) is not None


def kept_decode_time(folder: Path) -> float | None:
    """Milliseconds of one core for an image; None where that is not known."""
    found = (_kept(folder) or {}).get("milliseconds")
    return float(found) if isinstance(found, (int, float)) else None


def _kept(folder: Path) -> dict[str, Any] | None:
    try:
        kept = read_cache_json(folder / FILE)
    except (CacheError, OSError):
        return None
    return kept if kept.get("cpu") == processor_name() else None
