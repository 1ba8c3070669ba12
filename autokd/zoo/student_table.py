"""The rows of `autokd students`: what each model would be to a teacher, and why it would not.

torch and timm are imported only where a model is not in the catalogue at the image size asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autokd.errors import ConfigError, UsageError
from autokd.naming import set_to
from autokd.progress import Listener, Silent
from autokd.records import Arm
from autokd.zoo import timm_names as timm_names
from autokd.zoo.catalogue import Count, catalogue, entry_of, lookup
from autokd.zoo.ratio_filter import out_of_range, sift
from autokd.zoo.student_name import base_name


@dataclass(frozen=True)
class Row:
    """One model. Counts are None where it cannot be used at this image size; `reason` is empty for both arms."""

    student: str
    family: str
    parameters: int | None
    ratio: float | None
    macs: int | None
    activations: int | None
    image_size: int  # pixels a side, for which MACs and activations are counted
    arms: tuple[Arm, ...]
    reason: str
    weights: Mapping[str, str] = field(default_factory=dict)  # tags of published weights, with their licence
    top1: float | None = None  # on ImageNet, percent, of the first of these weights of which it was published
    top1_weights: str | None = None  # their tag


COLUMNS = ("student", "family", "parameters", "ratio", "macs", "activations", "top1")


def students(
    teacher: str,
    classes: int,
    image_size: int | None,
    min_ratio: float,
    max_ratio: float,
    names: Iterable[str] | None = None,
    family: str | None = None,
    sort: str = "ratio",
    cache: Path | None = None,
    listener: Listener | None = None,
) -> tuple[Row, ...]:
    """Rows for `names`, or for all of timm where they are None, optionally of one family, sorted by a column.

    Without an image size every model is taken at its own, the one that its published weights were made for. Raises
    UsageError for an unknown model or a teacher that cannot work at this size, ConfigError for an unknown column or
    family.
    """
    if sort not in COLUMNS:
        raise ConfigError(f"{set_to('sort', sort)} is not a column; choose one of {', '.join(COLUMNS)}")
    chosen = _chosen(names, family)
    timm_names.check(teacher)
    listener = listener or Silent()
    counts, refused = _counts([teacher], classes, image_size, cache, listener)
    if teacher in refused:
        raise UsageError(f"{teacher} cannot be used at {image_size or native_size(teacher)} px: {refused[teacher]}")
    size = counts[teacher].parameters
    hopeless = out_of_range(chosen, classes, image_size, size, max_ratio) if image_size else {}
    counts, refused = _counts([name for name in chosen if name not in hopeless], classes, image_size, cache, listener)
    arms, left_out = sift(counts, size, min_ratio, max_ratio, teacher)
    reasons = refused | {entry.student: entry.reason for entry in left_out}
    rows = [
        _row(name, counts.get(name), size, arms.get(name, ()), reasons.get(name, ""), image_size)
        for name in chosen
        if name not in hopeless
    ]
    for name, entry in hopeless.items():
        row = _row(name, None, size, (), entry.reason, image_size)
        rows.append(replace(row, parameters=entry.parameters, ratio=entry.ratio))
    return sorted_rows(rows, sort)


def native_size(model: str) -> int:
    """Pixels a side that a timm model was made for, whatever its settings; raises UsageError for an unknown name."""
    timm_names.check(model)
    name = base_name(model)
    architecture, _, tag = name.partition(".")
    entry = catalogue().get(architecture)
    if entry is not None and (not tag or tag in entry.weights):
        return entry.inputs.get(tag, entry.native)
    import timm

    return int(timm.get_pretrained_cfg(name).input_size[-1])


def sorted_rows(rows: Sequence[Row], column: str) -> tuple[Row, ...]:
    """Rows in ascending order of a column, of top1 descending, then by name; those without a value come last."""

    def key(row: Row) -> tuple[bool, str | float, str]:
        value = getattr(row, column)
        return (value is None, 0 if value is None else -value if column == "top1" else value, row.student)

    return tuple(sorted(rows, key=key))


def why_left_out(rows: Iterable[Row], image_size: int) -> dict[str, int]:
    """How many models were left out for distilling, by the kind of reason."""
    kinds: Counter[str] = Counter()
    for row in rows:
        if row.parameters is None:
            kinds[_why_unusable(row.student, image_size)] += 1
        elif row.reason:
            kinds[row.reason.partition(":")[2].strip() or row.reason] += 1
    return dict(kinds.most_common())


def _why_unusable(student: str, image_size: int) -> str:
    entry = entry_of(student)
    works = entry.works_at() if entry else []
    if entry and entry.fixed and works == [entry.native]:
        return f"the input size is fixed at another one than {image_size} px"
    if works and image_size < works[0]:
        return f"{image_size} px are too small an input"
    return f"works at other sizes than {image_size} px" if works else f"cannot be used at {image_size} px"


def _counts(
    students: Sequence[str], classes: int, image_size: int | None, cache: Path | None, listener: Listener
) -> tuple[dict[str, Count], dict[str, str]]:
    """Counts by name, and reasons; all at one size, or each model at its own."""
    by_size: dict[int, list[str]] = {}
    for name in dict.fromkeys(students):
        by_size.setdefault(image_size or native_size(name), []).append(name)
    counts: dict[str, Count] = {}
    refused: dict[str, str] = {}
    for size, group in by_size.items():
        known = {name: answer for name in group if (answer := lookup(name, classes, size)) is not None}
        counts |= {name: answer for name, answer in known.items() if isinstance(answer, Count)}
        refused |= {name: answer for name, answer in known.items() if isinstance(answer, str)}
        if missing := [name for name in group if name not in known]:
            from autokd.zoo.count import count_all

            more, unusable = count_all(missing, classes, size, cache, listener)
            counts, refused = counts | more, refused | unusable
    return counts, refused


def _row(
    name: str, count: Count | None, teacher: int, arms: tuple[Arm, ...], reason: str, image_size: int | None
) -> Row:
    entry = entry_of(name)
    weights, top1 = (entry.weights, entry.top1) if entry else ({}, {})
    tag = next((tag for tag in weights if tag in top1), None)
    return Row(
        student=name,
        family=timm_names.family_of(name),
        parameters=count.parameters if count else None,
        ratio=teacher / count.parameters if count else None,
        macs=count.macs if count else None,
        activations=count.activations if count else None,
        image_size=image_size or native_size(name),
        arms=arms,
        reason=reason,
        weights=weights,
        top1=top1[tag] if tag else None,
        top1_weights=tag,
    )


def _chosen(names: Iterable[str] | None, family: str | None) -> list[str]:
    """The models to list; every one of them exists."""
    chosen = list(timm_names.models() if names is None else dict.fromkeys(names))
    if names is not None:
        for name in chosen:
            timm_names.check(name)
    if family is None:
        return chosen
    kept = [name for name in chosen if timm_names.family_of(name) == family]
    if not kept:
        known = ", ".join(sorted({timm_names.family_of(name) for name in chosen}))
        raise ConfigError(f"{set_to('family', family)} has no model here; the families are {known}")
    return kept
