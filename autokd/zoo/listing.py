"""The rows of `autokd students`: what each model would be to a teacher, and why it would not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm

from autokd.errors import ConfigError
from autokd.progress import Listener
from autokd.records import Arm
from autokd.zoo.build import check_name
from autokd.zoo.count import count, count_all
from autokd.zoo.count import family as family_of
from autokd.zoo.filters import sift


@dataclass(frozen=True)
class Row:
    """One model. Counts are None where it cannot be used at this image size; `reason` is empty for both arms."""

    student: str
    family: str
    parameters: int | None
    ratio: float | None
    macs: int | None
    arms: tuple[Arm, ...]
    reason: str


COLUMNS = ("student", "family", "parameters", "ratio", "macs")


def students(
    teacher: str,
    classes: int,
    image_size: int,
    min_ratio: float,
    max_ratio: float,
    names: Iterable[str] | None = None,
    family: str | None = None,
    sort: str = "ratio",
    cache: Path | None = None,
    listener: Listener | None = None,
) -> tuple[Row, ...]:
    """Rows for `names`, or for all of timm where they are None, optionally of one family, sorted by a column.

    Counting all of timm takes minutes the first time and is read from the cache after that. Raises
    UsageError for an unknown model or a teacher that cannot work at this size, ConfigError for an unknown
    column or family.
    """
    if sort not in COLUMNS:
        raise ConfigError(f"--sort {sort} is no column; choose one of {', '.join(COLUMNS)}")
    chosen = _chosen(names, family)
    teacher_parameters = count(teacher, classes, image_size, cache).parameters
    counts, refused = count_all(chosen, classes, image_size, cache, listener)
    arms, left_out = sift(counts, teacher_parameters, min_ratio, max_ratio, teacher)
    reasons = refused | {entry.student: entry.reason for entry in left_out}
    rows = []
    for name in chosen:
        counted = counts.get(name)
        rows.append(
            Row(
                student=name,
                family=family_of(name),
                parameters=counted.parameters if counted else None,
                ratio=teacher_parameters / counted.parameters if counted else None,
                macs=counted.macs if counted else None,
                arms=arms.get(name, ()),
                reason=reasons.get(name, ""),
            )
        )
    return sorted_rows(rows, sort)


def sorted_rows(rows: Sequence[Row], column: str) -> tuple[Row, ...]:
    """Rows in ascending order of a column, then by name; those without a value come last."""

    def key(row: Row) -> tuple[bool, str | float, str]:
        value = getattr(row, column)
        return (value is None, 0 if value is None else value, row.student)

    return tuple(sorted(rows, key=key))


def _chosen(names: Iterable[str] | None, family: str | None) -> list[str]:
    """The models to list; every one of them exists."""
    if names is None:
        chosen: list[str] = timm.list_models()
    else:
        chosen = list(dict.fromkeys(names))
        for name in chosen:
            check_name(name)
    if family is None:
        return chosen
    kept = [name for name in chosen if family_of(name) == family]
    if not kept:
        known = ", ".join(sorted({family_of(name) for name in chosen}))
        raise ConfigError(f"--family {family} has no model here; the families are {known}")
    return kept
