"""A search space in short, for people and for scripts."""

from __future__ import annotations

from autokd.records import ARMS, Arm, Record
from autokd.tune.space.files import read_space, space_path
from autokd.tune.space.schema import Range
from autokd.tune.space.space import Space
from autokd.zoo.timm_names import family_of


class Outline(Record):
    """What a space has."""

    name: str
    path: str
    about: str  # the first line of its comment
    students: int
    families: dict[str, tuple[str, ...]]  # students by family, the largest family first
    recipes: dict[Arm, dict[str, Range | None]]  # None: by the number of classes
    losses: tuple[str, ...]
    schedules: dict[Arm, tuple[str, ...]]
    first: dict[Arm, int]  # first proposals


def outline(name: str) -> Outline:
    """The space called `name`, or in the file `name`; raises SpaceError for one that is not sound."""
    space, path = read_space(name), space_path(name)
    students = space.names()
    return Outline(
        name=name,
        path=str(path),
        about=_about(path.read_text(encoding="utf-8"), name),
        students=len(students),
        families=_by_family(students),
        recipes={arm: _recipe(space, arm) for arm in ARMS},
        losses=space.recipe.distill.losses,
        schedules={arm: space.recipe.of(arm).schedules for arm in ARMS},
        first={arm: len(space.firsts(arm)) for arm in ARMS},
    )


def _about(text: str, name: str) -> str:
    """The first line of the file where that is a comment, without the space's own name."""
    line = text.partition("\n")[0]
    return line.removeprefix("#").strip().removeprefix(f"{name}: ") if line.startswith("#") else ""


def _by_family(students: list[str]) -> dict[str, tuple[str, ...]]:
    families: dict[str, list[str]] = {}
    for student in students:
        families.setdefault(family_of(student), []).append(student)
    largest_first = sorted(families.items(), key=lambda item: (-len(item[1]), item[0]))
    return {family: tuple(members) for family, members in largest_first}


def _recipe(space: Space, arm: Arm) -> dict[str, Range | None]:
    found: dict[str, Range | None] = dict(space.ranges(arm, classes=2))
    if arm == "distill":
        found["temperature"] = space.recipe.distill.temperature
    return found
