"""The sections of a search space's file: their keys, and what each one may say.

The key `base`, which names a space to take sections from, is resolved before a file comes here: see base.py.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from autokd.records import Arm, Loss, Record, Schedule
from autokd.training.presets import FINE_TUNING, FROM_SCRATCH


class Section(Record):
    """A table of the file. It is read strictly: a text or `true` is not accepted as a number."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


# ---- recipes ---------------------------------------------------------------------------------------------------


class Range(Section):
    """Values from low to high, drawn evenly or, with `log`, evenly in the logarithm; one value where they are equal."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"the range is empty, low {self.low:g} is above high {self.high:g}; swap them")
        if self.log and self.low <= 0:
            raise ValueError(f"low {self.low:g} has no logarithm; raise it above 0, or leave log out")
        return self

    @property
    def is_fixed(self) -> bool:
        """Whether there is nothing to search."""
        return self.low == self.high

    def __str__(self) -> str:
        """For people: `0.3 to 1`, `0.0003 to 0.003, logarithmic`, `4, fixed`."""
        if self.is_fixed:
            return f"{self.low:g}, fixed"
        return f"{self.low:g} to {self.high:g}" + (", logarithmic" if self.log else "")


def _one_value(value: Any) -> Any:
    """A plain number is a range of one value."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"low": value, "high": value}
    if isinstance(value, (dict, Range)):
        return value
    raise ValueError("it takes a number, or a range such as { low = 0.1, high = 1.0 }")


def _below(most: float) -> AfterValidator:
    """An upper bound that is not itself allowed."""

    def check(bounds: Range) -> Range:
        if bounds.high >= most:
            raise ValueError(f"it must be below {most:g}")
        return bounds

    return AfterValidator(check)


def _within(least: float, most: float = math.inf, *, itself: bool = True, why: str = "") -> AfterValidator:
    """Bounds of a parameter, `most` included, `least` too where `itself` is."""

    def check(bounds: Range) -> Range:
        if bounds.low < least or bounds.high > most or (bounds.low == least and not itself):
            upwards = f"be {least:g} or above" if itself else f"be above {least:g}"
            raise ValueError(f"it must {upwards if most == math.inf else f'lie in {least:g} to {most:g}'}{why}")
        return bounds

    return AfterValidator(check)


Searched = Annotated[Range, BeforeValidator(_one_value)]
Positive = Annotated[Searched, _within(0, itself=False)]
NotNegative = Annotated[Searched, _within(0)]
BelowOne = Annotated[NotNegative, _below(1)]
TeacherShare = Annotated[
    Searched, _within(0.3, 1, why="; below 0.3 the teacher has so little weight that both arms are nearly the same")
]


class ArmSection(Section):
    """Recipe parameters of one arm, by the names of Recipe: every field that holds a Range is one.

    What is None stays as Recipe has it. The learning rate of a student that starts from given weights is
    `fine_tuning_rate`.
    """

    learning_rate: Positive = Range(low=FROM_SCRATCH.low, high=FROM_SCRATCH.high, log=True)
    fine_tuning_rate: Positive = Range(low=FINE_TUNING.low, high=FINE_TUNING.high, log=True)
    schedules: tuple[Schedule, ...] = Field(("cosine",), min_length=1, strict=False)
    weight_decay: NotNegative | None = None
    label_smoothing: BelowOne | None = None
    mixup: NotNegative | None = None
    cutmix: NotNegative | None = None
    drop_path: BelowOne | None = None

    def given(self) -> dict[str, Range]:
        """The parameters that are drawn or fixed."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in fields.items() if isinstance(value, Range)}

    @property
    def mixes(self) -> bool:
        """Whether any training of this arm may mix images."""
        return any(bounds is not None and bounds.high > 0 for bounds in (self.mixup, self.cutmix))


class DirectSection(ArmSection):
    """[recipe.direct]"""


class DistillSection(ArmSection):
    """[recipe.distill]; without a temperature it follows the number of classes."""

    losses: tuple[Loss, ...] = Field(("kl",), min_length=1, strict=False)
    temperature: Positive | None = None
    alpha: TeacherShare = Range(low=0.3, high=1.0)
    beta: Positive = Range(low=0.5, high=8.0, log=True)  # of the loss dkd


class Recipes(Section):
    """[recipe]"""

    distill: DistillSection = DistillSection()
    direct: DirectSection = DirectSection()

    def of(self, arm: Arm) -> ArmSection:
        """The section of an arm."""
        return self.distill if arm == "distill" else self.direct


class Values(Section):
    """A section with recipe parameters as plain numbers, in addition to its own keys."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)

    @property
    def values(self) -> dict[str, float]:
        """The numbers by the names of Recipe."""
        return dict(self.__pydantic_extra__)


class First(Values):
    """[[first]]: a proposal that an arm tries before its sampler has learnt anything; what it leaves out is drawn."""

    arm: Arm = "distill"
    student: str | None = None
    loss: Loss | None = None
    schedule: Schedule | None = None


class Default(Values):
    """[default]: the recipe that each arm is confirmed with, in addition to its own best ones."""

    loss: Loss | None = None
    schedule: Schedule | None = None


# ---- students --------------------------------------------------------------------------------------------------


Factors = Annotated[tuple[Annotated[float, Field(gt=0, le=8)], ...], Field(min_length=1, strict=False)]
Words = Annotated[tuple[str, ...], Field(min_length=1, max_length=1_000, strict=False)]
MOST_SCALED = 10_000  # students that a space may scale; each is looked at by every search


class Scaled(Section):
    """[[students.scaled]]: a timm model with every combination of these factors of its width and depth."""

    model: str
    width: Factors = (1.0,)
    depth: Factors = (1.0,)


class Students(Section):
    """[students]: patterns of names, in which `*` and `?` match as in a shell, timm families, and scaled models."""

    include: Words = ()
    families: Words = ()
    scaled: tuple[Scaled, ...] = Field((), strict=False)
    exclude: Words = ()
    exclude_families: Words = ()

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not (self.include or self.families or self.scaled):
            raise ValueError('it names no students; write for example include = ["resnet*"]')
        scaled = sum(len(entry.width) * len(entry.depth) for entry in self.scaled)
        if scaled > MOST_SCALED:
            most = max(self.scaled, key=lambda entry: len(entry.width) * len(entry.depth))
            raise ValueError(
                f"it scales models to {scaled:,} students, most of them {most.model} with {len(most.width):,} widths "
                f"and {len(most.depth):,} depths, and a space may have {MOST_SCALED:,}; give fewer factors"
            )
        return self
