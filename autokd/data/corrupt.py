"""Images that cannot be read: refused with the reason, or left out so that no other one changes its number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from autokd.config import SearchConfig
from autokd.data.dataset import UNREADABLE, Part, Parts
from autokd.data.splits import Splits
from autokd.data.streaming import PartsReader
from autokd.errors import DataError
from autokd.formatting import escaped
from autokd.naming import set_to


def judge_corrupt(read: PartsReader, corrupt: list[int], config: SearchConfig) -> tuple[str, ...]:
    names = [escaped(read.name(i)) for i in corrupt]
    if names and config.on_corrupt == "refuse":
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        raise DataError(
            f"{names[0]}{more} in {config.data} cannot be read as an image{_why(read, corrupt[0])}; repair or remove "
            f"it, or add {set_to('on_corrupt', 'skip')}"
        )
    return tuple(names)


def _why(read: PartsReader, index: int) -> str:
    try:
        read(index)
    except UNREADABLE as error:
        return f" ({' '.join(str(error).split())})"
    return ""  # mended meanwhile


def intact_parts(parts: Parts, corrupt: set[int]) -> Parts:
    """The same parts without corrupt images."""
    if not corrupt:
        return parts
    start = 0
    kept: dict[str, Any] = {}
    for name in ("train", "val", "test", "unlabelled"):
        part: Part | None = getattr(parts, name)
        if part is None:
            continue
        own = [i for i in range(len(part)) if start + i not in corrupt]
        kept[name] = Part([part.names[i] for i in own], part.labels[own], part.read)
        start += len(part)
    return replace(parts, **kept)


def indices_of_all(splits: Splits, total: int, corrupt: list[int]) -> Splits:
    """Indices into all images again, where the splits were made without the corrupt ones."""
    if not corrupt:
        return splits
    kept = np.setdiff1d(np.arange(total), corrupt)
    labels = np.zeros(total, dtype=np.int64)
    labels[kept] = splits.labels
    return replace(splits, labels=labels, train=kept[splits.train], val=kept[splits.val], test=kept[splits.test])
