"""Search spaces: TOML files that say which students and which recipes are searched."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from autokd.errors import SpaceError, UsageError
from autokd.records import Arm, Loss, Record
from autokd.tune.spacefile import Place, located, problems


class Range(Record):
    """Values from low to high, drawn evenly or, with `log`, evenly in the logarithm; one value where they are equal."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"the range is empty: low {self.low:g} is above high {self.high:g}; swap them")
        if self.log and self.low <= 0:
            raise ValueError("a range with log = true starts above 0; raise low, or leave log out")
        return self


def _range_or_value(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"low": value, "high": value} if is_number else value


# A range, or a plain number, which is then used and not searched.
Searched = Annotated[Range, BeforeValidator(_range_or_value)]

# Recipe parameters that are ranges, with the least value of each, and whether that value itself is allowed.
LEAST: dict[str, tuple[float, bool]] = {
    "learning_rate": (0, False),
    "weight_decay": (0, True),
    "mixup": (0, True),
    "cutmix": (0, True),
    "temperature": (0, False),
    "beta": (0, False),
}


class Scaled(Record):
    """A model whose width and depth are searched: every combination of the factors is a student."""

    model: str
    width: tuple[Annotated[float, Field(gt=0, le=8)], ...] = Field((1.0,), min_length=1)
    depth: tuple[Annotated[float, Field(gt=0, le=8)], ...] = Field((1.0,), min_length=1)


class Students(Record):
    """timm names, in which `*` and `?` match as in a shell, families (timm's modules), and scaled models."""

    include: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    scaled: tuple[Scaled, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_families: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not (self.include or self.families or self.scaled):
            raise ValueError('nothing is included; write for example include = ["resnet*"]')
        return self


class DirectRanges(Record):
    """What is searched in the direct arm; what has no range here stays at its default."""

    learning_rate: Searched = Range(low=3e-4, high=3e-3, log=True)
    weight_decay: Searched | None = None
    mixup: Searched | None = None
    cutmix: Searched | None = None

    @field_validator(*LEAST, check_fields=False)
    @classmethod
    def _within_bounds(cls, bounds: Range | None, info: ValidationInfo) -> Range | None:
        least, allowed = LEAST[info.field_name or ""]
        if bounds and (bounds.low < least or (bounds.low == least and not allowed)):
            raise ValueError(f"must be {least:g} or above" if allowed else f"must be above {least:g}")
        return bounds

    def ranges(self) -> dict[str, Range]:
        """The ranges that there are, by the names of Recipe."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: bounds for name, bounds in found.items() if isinstance(bounds, Range)}


class DistillRanges(DirectRanges):
    """What is searched in the distill arm; without a range of temperatures it follows the number of classes."""

    losses: tuple[Loss, ...] = ("kl",)
    temperature: Searched | None = None
    alpha: Searched = Range(low=0.3, high=1.0)
    beta: Searched = Range(low=0.5, high=8.0, log=True)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.alpha.low < 0.3 or self.alpha.high > 1:
            raise ValueError(
                "alpha lies in 0.3 to 1; below 0.3 the teacher hardly counts and the arms are no longer two"
            )
        if not self.losses:
            raise ValueError('losses is empty; write for example losses = ["kl"]')
        if len(set(self.losses)) < len(self.losses):
            raise ValueError("losses names one of them twice")
        if "dkd" in self.losses and (self.mixup or self.cutmix):
            raise ValueError("the loss dkd needs one label an image; leave out dkd, or mixup and cutmix")
        return self


class Ranges(Record):
    """The ranges of both arms."""

    distill: DistillRanges = DistillRanges()
    direct: DirectRanges = DirectRanges()


class First(Record):
    """A recipe of the distill arm that is tried before the sampler has learnt anything."""

    temperature: float = Field(gt=0)
    alpha: float = Field(ge=0.3, le=1)
    student: str | None = None  # skipped where it is no candidate
    loss: Loss | None = None
    beta: float | None = Field(None, gt=0)
    learning_rate: float | None = Field(None, gt=0)


class Default(Record):
    """The recipe that each arm is confirmed with beside its own best ones."""

    temperature: float = Field(4.0, gt=0)
    alpha: float = Field(0.9, ge=0.3, le=1)
    loss: Loss = "kl"
    beta: float = Field(1.0, gt=0)
    learning_rate: float = Field(1e-3, gt=0)


class Space(Record):
    """A search space as its file says it."""

    students: Students
    recipe: Ranges = Ranges()
    first: tuple[First, ...] = ()
    default: Default = Default()

    @model_validator(mode="after")
    def _first_can_be_drawn(self) -> Self:
        losses = self.recipe.distill.losses
        for first in self.first:
            if first.loss is not None and first.loss not in losses:
                raise ValueError(
                    f"a [[first]] names the loss {first.loss}; add it to losses in [recipe.distill] "
                    f"({', '.join(losses)}), or name one of these"
                )
        return self

    def names(self) -> list[str]:
        """The students, in the order of the file; raises UsageError for a name, pattern or family that is unknown."""
        found: dict[str, None] = {}
        for _, _, names in self._included():
            found |= dict.fromkeys(names)
        return [name for name in found if not self._is_excluded(name)]

    def wrong_names(self) -> list[tuple[Place, str, str]]:
        """Place, name and what is wrong with it, for every one that names no student."""
        wrong: list[tuple[Place, str, str]] = []
        for attempt in self._attempts():
            try:
                _expanded(*attempt)
            except UsageError as error:
                place, _, entry = attempt[0], attempt[1], attempt[2]
                wrong.append((place, entry.model if isinstance(entry, Scaled) else entry, str(error)))
        return wrong

    def _attempts(self) -> list[tuple[Place, str, str | Scaled]]:
        students = self.students
        found: list[tuple[Place, str, str | Scaled]] = []
        found += [(("students", "include"), "name", each) for each in students.include]
        found += [(("students", "families"), "family", each) for each in students.families]
        found += [(("students", "scaled", i), "scaled", each) for i, each in enumerate(students.scaled)]
        return found

    def _included(self) -> list[tuple[Place, str, list[str]]]:
        return [(place, kind, _expanded(place, kind, entry)) for place, kind, entry in self._attempts()]

    def _is_excluded(self, name: str) -> bool:
        from autokd.zoo.names import family_of

        students = self.students
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in students.exclude):
            return True
        return bool(students.exclude_families) and family_of(name) in students.exclude_families

    def temperature(self, classes: int) -> Range:
        """The range of temperatures: as given, else wide for few classes and low for many."""
        few = Range(low=1.0, high=20.0, log=True)
        return self.recipe.distill.temperature or (few if classes <= 100 else Range(low=0.5, high=4.0, log=True))

    def ranges(self, arm: Arm, classes: int) -> dict[str, Range]:
        """What the sampler draws beside the student and the loss, by the names of Recipe."""
        if arm == "direct":
            return self.recipe.direct.ranges()
        found = {**self.recipe.distill.ranges(), "temperature": self.temperature(classes)}
        if "dkd" not in self.recipe.distill.losses:
            del found["beta"]
        return found


def _expanded(place: Place, kind: str, entry: str | Scaled) -> list[str]:  # noqa: ARG001 - goes with its entry
    """The students that one entry of the file stands for; raises UsageError where it stands for none."""
    from autokd.zoo import names

    if isinstance(entry, Scaled):
        names.check(entry.model)
        from autokd.zoo.scale import scaled_students

        return scaled_students(entry.model, entry.width, entry.depth)
    if kind == "family":
        return names.of_family(entry)
    if any(mark in entry for mark in "*?["):
        return names.matching(entry)
    names.check(entry)
    return [entry]


def space_folder() -> Path:
    """search_spaces/, inside the installed package or beside it in a source checkout."""
    package = Path(__file__).parent.parent
    return next((p for p in (package / "search_spaces", package.parent / "search_spaces") if p.is_dir()), package)


def shipped_spaces() -> list[str]:
    """Names of the spaces that come with autokd."""
    return sorted(path.stem for path in space_folder().glob("*.toml"))


def space_path(name: str) -> Path:
    """The file of a space that is shipped, or is a file itself; raises SpaceError for neither."""
    path = space_folder() / f"{name}.toml" if name in shipped_spaces() else Path(name)
    if not path.is_file():
        raise SpaceError(
            f"--space {name} is neither a file nor one of {', '.join(shipped_spaces())}; name one of these"
        )
    return path


def read_space(name: str) -> Space:
    """The space called `name`, or in the TOML file `name`; raises SpaceError with file, line and remedy."""
    space, wrong = examine(space_path(name))
    if space is None or wrong:
        raise SpaceError(f"{space_path(name)}, {wrong[0]}" if wrong[0].startswith("line") else f"{name}: {wrong[0]}")
    return space


def examine(path: Path) -> tuple[Space | None, list[str]]:
    """What a file says, None where it cannot be read, and everything that is wrong with it, with lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [f"it cannot be read as text ({type(error).__name__}); save it as UTF-8"]
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [f"it is not valid TOML: {error}"]
    try:
        space = Space.model_validate(content)
    except ValidationError as error:
        return None, problems(text, error, Space)
    return space, [located(text, place, message, literal) for place, literal, message in space.wrong_names()]
