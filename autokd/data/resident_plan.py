"""How many images are kept decoded: as many as a share of the free memory and disk holds, or as many as are allowed."""

from __future__ import annotations

import numpy as np

from autokd.config import SearchConfig
from autokd.data.streaming import PartsReader
from autokd.data.workers import worker_count
from autokd.machine import available_memory, free_disk
from autokd.naming import named
from autokd.progress import Listener

RESIDENT_SHARE = 0.5  # of free memory and disk, for decoded images
MEASURED = 200  # images by whose shapes the room for all is told


def fits_decoded(read: PartsReader, config: SearchConfig, listener: Listener) -> bool:
    """Whether the images are few enough to be kept decoded; the listener is told which way they go, and why."""
    total, size = len(read), _decoded_bytes(read)
    room, of_what = room_for(config, size)
    if size <= room:
        listener.note(f"{total:,} images are decoded once and kept in memory-mapped form ({amount(size)})")
        return True
    who = "the training process decodes them"
    if workers := worker_count(config.loader_workers):
        who = f"{workers} worker process{'es decode' if workers > 1 else ' decodes'} them while training"
    listener.note(
        f"{total:,} images would take {amount(size)} decoded, more than {of_what} ({named('resident_gb')}): {who}"
    )
    return False


def _decoded_bytes(read: PartsReader) -> int:
    """Of all images; where their shapes may differ, by those of some of them."""
    some = np.unique(np.linspace(0, len(read) - 1, MEASURED).astype(int)) if read.whole else np.arange(1)
    return round(float(np.mean([read.length(index) for index in some.tolist()])) * len(read) * 3 * read.size)


def room_for(config: SearchConfig, size: int) -> tuple[float, str]:
    """Bytes that decoded images may take, and what that is; those of this size that are there already may stay."""
    if config.resident_gb is not None:
        return config.resident_gb * 1e9, f"the {config.resident_gb:g} GB that were allowed"
    memory, disk = available_memory(), free_disk(config.cache_dir)
    if any(array.stat().st_size >= size for array in (config.cache_dir / "images").glob("*/images.npy")):
        disk = max(disk, 2 * size)
    which, free = ("memory", memory) if memory < disk else ("disk", disk)
    return RESIDENT_SHARE * free, f"half of the {amount(free)} of free {which}"


def amount(size: float) -> str:
    """Bytes in words: 38 MB, 252 GB."""
    return f"{size / 1e6:.3g} MB" if size < 1e9 else f"{size / 1e9:.3g} GB"
