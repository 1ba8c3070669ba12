"""Which students a search space names."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from functools import partial

from autokd.errors import UsageError
from autokd.tune.space.schema import Scaled, Students
from autokd.tune.space.toml_lines import Place, Problem
from autokd.zoo import timm_names


def named_students(students: Students) -> tuple[list[str], list[Problem]]:
    """Students in the order of the file, each once, and a problem for every entry that matches none."""
    included: dict[str, None] = {}
    problems: list[Problem] = []
    for place, expand in _inclusions(students):
        try:
            included |= dict.fromkeys(expand())
        except UsageError as error:
            problems.append(Problem(place, str(error)))
    if problems:
        return list(included), problems
    excluded: set[str] = set()
    for place, entry, excludes in _exclusions(students):
        out = {name for name in included if excludes(name)}
        if not out:
            problems.append(Problem(place, f"{entry!r} in {place[1]} excludes no student; correct or remove it"))
        excluded |= out
    left = [name for name in included if name not in excluded]
    if not left:
        problems.append(Problem(("students",), "[students]: every included student is excluded again; exclude fewer"))
    return left, problems


def _inclusions(students: Students) -> Iterator[tuple[Place, Callable[[], list[str]]]]:
    for i, pattern in enumerate(students.include):
        yield ("students", "include", i), partial(_named, pattern)
    for i, family in enumerate(students.families):
        yield ("students", "families", i), partial(timm_names.of_family, family)
    for i, scaled in enumerate(students.scaled):
        yield ("students", "scaled", i, "model"), partial(_scaled, scaled)


def _named(pattern: str) -> list[str]:
    if any(mark in pattern for mark in "*?["):
        return timm_names.matching(pattern)
    timm_names.check(pattern)
    return [pattern]


def _scaled(entry: Scaled) -> list[str]:
    if "@" in entry.model:
        raise UsageError(f"{entry.model}: width and depth apply to a plain timm model; leave out what follows @")
    timm_names.check(entry.model)
    from autokd.zoo.scaling import scaled_students

    return scaled_students(entry.model, entry.width, entry.depth)


def _exclusions(students: Students) -> Iterator[tuple[Place, str, Callable[[str], bool]]]:
    for i, pattern in enumerate(students.exclude):
        yield ("students", "exclude", i), pattern, partial(_matches, pattern)
    for i, family in enumerate(students.exclude_families):
        yield ("students", "exclude_families", i), family, partial(_belongs, family)


def _matches(pattern: str, name: str) -> bool:
    return fnmatch.fnmatchcase(name, pattern)


def _belongs(family: str, name: str) -> bool:
    return timm_names.family_of(name) == family
