"""Search spaces: TOML files that say which students and which recipes are searched."""

from __future__ import annotations

import fnmatch
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from autokd.errors import SpaceError, UsageError
from autokd.records import Arm, Loss, Record


class Range(Record):
    """Values from low to high, drawn evenly or, with `log`, evenly in the logarithm."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("a range with log = true starts above 0")
        return self


class Students(Record):
    """timm names; `*` and `?` match as in a shell."""

    include: tuple[str, ...] = Field(min_length=1)
    exclude: tuple[str, ...] = ()


class DirectRanges(Record):
    """What is searched in the direct arm; mixing is left out unless there is a range for it."""

    learning_rate: Range = Range(low=3e-4, high=3e-3, log=True)
    mixup: Range | None = None
    cutmix: Range | None = None

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        for name in ("mixup", "cutmix"):
            bounds: Range | None = getattr(self, name)
            if bounds and bounds.low < 0:
                raise ValueError(f"{name} starts at 0, which leaves it out, or above")
        return self

    def mixing(self) -> dict[str, Range]:
        """The ranges of mixup and cutmix that there are."""
        return {name: bounds for name, bounds in (("mixup", self.mixup), ("cutmix", self.cutmix)) if bounds}


class DistillRanges(DirectRanges):
    """What is searched in the distill arm; without a range of temperatures it follows the number of classes."""

    losses: tuple[Loss, ...] = Field(("kl",), min_length=1)
    temperature: Range | None = None
    alpha: Range = Range(low=0.3, high=1.0)
    beta: Range = Range(low=0.5, high=8.0, log=True)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.alpha.low < 0.3 or self.alpha.high > 1:
            raise ValueError(
                "alpha lies in 0.3 to 1; below 0.3 the teacher hardly counts and the arms are no longer two"
            )
        if self.temperature and self.temperature.low <= 0:
            raise ValueError("temperature is above 0")
        if len(set(self.losses)) < len(self.losses):
            raise ValueError("losses names one of them twice")
        if "dkd" in self.losses and self.mixing():
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
        """The students, in the order of the file; raises UsageError for an unknown name, with the nearest ones."""
        import timm

        from autokd.zoo.build import check_name

        found: dict[str, None] = {}
        for pattern in self.students.include:
            if any(mark in pattern for mark in "*?["):
                matches = timm.list_models(pattern)
                if not matches:
                    raise SpaceError(f"{pattern!r} in [students] include matches no timm model; mend or remove it")
                found |= dict.fromkeys(matches)
            else:
                check_name(pattern)
                found[pattern] = None
        return [name for name in found if not any(fnmatch.fnmatch(name, p) for p in self.students.exclude)]

    def temperature(self, classes: int) -> Range:
        """The range of temperatures: as given, else wide for few classes and low for many."""
        few = Range(low=1.0, high=20.0, log=True)
        return self.recipe.distill.temperature or (few if classes <= 100 else Range(low=0.5, high=4.0, log=True))

    def ranges(self, arm: Arm, classes: int) -> dict[str, Range]:
        """What the sampler draws beside the student and the loss, by the names of Recipe."""
        if arm == "direct":
            direct = self.recipe.direct
            return {"learning_rate": direct.learning_rate, **direct.mixing()}
        distill = self.recipe.distill
        return {
            "temperature": self.temperature(classes),
            "alpha": distill.alpha,
            **({"beta": distill.beta} if "dkd" in distill.losses else {}),
            "learning_rate": distill.learning_rate,
            **distill.mixing(),
        }


def space_folder() -> Path:
    """search_spaces/, inside the installed package or beside it in a source checkout."""
    package = Path(__file__).parent.parent
    return next((p for p in (package / "search_spaces", package.parent / "search_spaces") if p.is_dir()), package)


def read_space(name: str) -> Space:
    """The space called `name`, or in the TOML file `name`; raises SpaceError with file, place and remedy."""
    shipped = sorted(path.stem for path in space_folder().glob("*.toml"))
    path = space_folder() / f"{name}.toml" if name in shipped else Path(name)
    if not path.is_file():
        raise SpaceError(f"--space {name} is neither a file nor one of {', '.join(shipped)}; name one of these")
    try:
        return Space.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise SpaceError(f"{path} is not valid TOML: {error}") from None
    except ValidationError as error:
        raise SpaceError(f"{path}: {_first_problem(error)}") from None
    except UsageError as error:
        raise SpaceError(f"{path}: {error}") from None


def _first_problem(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place} is not a known key; remove it or mend its name"
    return f"{place}: {str(first['msg']).removeprefix('Value error, ')}"
