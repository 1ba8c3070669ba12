"""How many views of soft labels may be written: what the disk has room for, and what the limit of the cache allows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from autokd.cache.locks import REMOVED, folder_bytes, is_held, remove
from autokd.errors import DataError
from autokd.formatting import file_size
from autokd.naming import named, set_to
from autokd.progress import Listener

DISK_SHARE = 0.9  # of what is free; the rest is for checkpoints and weights


@dataclass(frozen=True)
class Plan:
    """The first `views` views are written; with 0 the teacher runs live."""

    views: int
    remarks: tuple[str, ...]  # why it is not all of them
    evicted: tuple[Path, ...]  # sets that have to go first


def make_plan(folder: Path, missing: Sequence[int], limit: float | None, listener: Listener) -> Plan:
    """How many views to write, with room made for them; missing: bytes to write of each view that is wanted.

    limit: bytes that all soft labels in the cache may take. Sets that nobody holds make room for it, the least
    recently used first, if at least half of the views fit then.
    """
    while True:
        plan = _plan(folder, missing, limit)
        sizes = {other: folder_bytes(other) for other in plan.evicted}
        if all(remove(other) for other in sizes):  # else another process has started to use one: plan again
            break
    for other, count in sizes.items():
        listener.note(
            f"Removed the soft labels {other.name} ({file_size(count)}), the least recently used, to make room."
        )
    return plan


def check_all_fit(folder: Path, missing: Sequence[int], limit: float | None) -> None:
    """Raise DataError where these views do not fit: a run keeps the number of views that it was started with."""
    if _plan(folder, missing, limit).views < len(missing):
        raise DataError(
            f"this run was started with {len(missing)} views of soft labels, and {_shortage(folder, missing, limit)}; "
            f"make room and go on with {set_to('resume', True)}"
        )


def _plan(folder: Path, missing: Sequence[int], limit: float | None) -> Plan:
    others = _others(folder) if limit is not None else []
    removable = [other for other in others if not is_held(other)]
    freed = [0, *accumulate(map(folder_bytes, removable))]
    taken = sum(map(folder_bytes, [folder, *others]))

    def fitting(count: int) -> int:
        """Views that fit once the first `count` removable sets are gone."""
        room = DISK_SHARE * (shutil.disk_usage(folder).free + freed[count])
        if limit is not None:
            room = min(room, limit - taken + freed[count])
        return sum(1 for needed in accumulate(missing) if needed <= room or needed == 0)

    views = fitting(len(removable))
    if 2 * views < len(missing):
        return Plan(0, (_live(folder, missing, limit),), ())
    enough = next(count for count in range(len(freed)) if fitting(count) == views)
    remarks = () if views == len(missing) else (_fewer(folder, missing, views, limit),)
    return Plan(views, remarks, tuple(removable[:enough]))


def _others(folder: Path) -> list[Path]:
    """The other sets, least recently used first."""
    found = [path for path in folder.parent.iterdir() if path.is_dir() and path.name != folder.name]
    return sorted((path for path in found if not path.name.startswith(REMOVED)), key=lambda path: path.stat().st_mtime)


def _shortage(folder: Path, missing: Sequence[int], limit: float | None) -> str:
    free = shutil.disk_usage(folder).free
    allowed = f", where {named('cache_limit_gb')} allows {limit / 1e9:g} GB in all" if limit is not None else ""
    return f"they need {file_size(sum(missing))} more, and {folder.parent} has {file_size(free)} free{allowed}"


def _fewer(folder: Path, missing: Sequence[int], views: int, limit: float | None) -> str:
    return (
        f"Of {len(missing)} views of soft labels only {views} are stored: {_shortage(folder, missing, limit)}; "
        "later epochs see these again in turn, in distilled trainings and their twins."
    )


def _live(folder: Path, missing: Sequence[int], limit: float | None) -> str:
    return (
        f"No soft labels are stored, as not even half of {len(missing)} views fit: "
        f"{_shortage(folder, missing, limit)}; the teacher runs during every distilled training, which takes longer."
    )
