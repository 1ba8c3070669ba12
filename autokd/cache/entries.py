"""The entries of the cache: soft labels, teachers trained here, students' initial weights and decoded images.

Tasks (labels and splits) and counts are not listed and never removed: they are small, and soft labels are verified
with them. Nothing here loads torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from autokd.cache.locks import clear, folder_bytes, is_held, remove
from autokd.cache.sealed import read_sealed
from autokd.cache.soft_label_entry import About, View
from autokd.errors import CacheError
from autokd.files import check_folder, read_cache_json
from autokd.records import Record

Kind = Literal["soft labels", "teacher", "student weights", "images"]
FOLDERS: dict[Kind, str] = {
    "soft labels": "softlabels",
    "teacher": "teachers",
    "student weights": "students",
    "images": "images",
}
DAY = 86_400


class Entry(Record):
    """One entry of the cache."""

    kind: Kind
    key: str
    path: str
    bytes: int
    last_used: float  # seconds since the epoch
    held: bool  # by a running process
    teacher: str | None = None
    student: str | None = None
    data: str | None = None
    classes: int | None = None
    images: int | None = None
    views: int | None = None  # complete ones


def entries(cache_dir: Path) -> list[Entry]:
    """All entries, the most recently used first; raises PathError where something other than a folder is there."""
    check_folder(cache_dir)
    found = []
    for kind, name in FOLDERS.items():
        folders = [path for path in (cache_dir / name).glob("[!.]*") if path.is_dir()]
        found += [_entry(kind, folder, _about(kind)(folder)) for folder in folders]
    return sorted(found, key=lambda entry: -entry.last_used)


def superfluous(
    kept: Sequence[Entry], older_than: float | None, to_bytes: float | None, everything: bool
) -> list[Entry]:
    """Entries to remove, the least recently used first; never one that is held.

    older_than: remove entries not used for this many days; to_bytes: total size of the entries that may stay.
    """
    left, chosen = sum(entry.bytes for entry in kept), []
    for entry in sorted(kept, key=lambda entry: entry.last_used):
        old = older_than is not None and time.time() - entry.last_used > older_than * DAY
        large = to_bytes is not None and left > to_bytes
        if not entry.held and (everything or old or large):
            chosen.append(entry)
            left -= entry.bytes
    return chosen


def prune(chosen: Sequence[Entry], cache_dir: Path) -> list[Entry]:
    """Remove entries; returns those that were removed. An entry that a process has begun to use stays."""
    for name in FOLDERS.values():
        clear(cache_dir / name)
    return [entry for entry in chosen if remove(Path(entry.path))]


def _entry(kind: Kind, folder: Path, about: dict[str, Any]) -> Entry:
    return Entry(
        kind=kind,
        key=folder.name,
        path=str(folder),
        bytes=folder_bytes(folder),
        last_used=folder.stat().st_mtime,
        held=is_held(folder),
        **about,
    )


def _about(kind: Kind) -> Callable[[Path], dict[str, Any]]:
    return {
        "soft labels": _about_labels,
        "teacher": _about_teacher,
        "student weights": _about_student,
        "images": _about_images,
    }[kind]


def _about_labels(folder: Path) -> dict[str, Any]:
    views = [read_sealed(path, View) for path in sorted(folder.glob("view-*.json"))]
    complete = sum(1 for view in views if view is not None and None not in view.chunks)
    about = read_sealed(folder / "about.json", About)
    if about is None:
        return {"views": complete}
    named = {name: getattr(about, name) for name in ("teacher", "data", "classes", "images")}
    return {**named, "views": complete}


def _about_teacher(folder: Path) -> dict[str, Any]:
    about = _content(folder / "teacher.json")
    return {"teacher": about.get("name"), "data": about.get("data"), "classes": about.get("classes")}


def _about_student(folder: Path) -> dict[str, Any]:
    student = _content(folder / "start.json").get("student")
    return {"student": student if isinstance(student, str) else None}


def _about_images(folder: Path) -> dict[str, Any]:
    """The task that refers to these decoded images says what they are."""
    for path in (folder.parent.parent / "tasks").glob("*/t*.json"):  # of a task, and of what teachers see of it
        task, arrays = _read(path.with_name("task.json")).get("task", {}), _read(path).get("images", {})
        for name, parts in (("array", ("train", "val", "test")), ("centres", ())):
            if arrays.get(name) is not None and Path(arrays[name]).parent.name == folder.name:
                images = sum(task[part] for part in parts) or None
                return {"data": task["data"], "classes": len(task["classes"]), "images": images}
    return {}


def _content(path: Path) -> dict[str, Any]:
    """Of a file with a checksum, whatever that says; empty if it cannot be read."""
    content = _read(path).get("content")
    return content if isinstance(content, dict) else {}


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; an empty one if it cannot be read."""
    try:
        return read_cache_json(path)
    except CacheError:
        return {}
