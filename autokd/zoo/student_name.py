"""Names of students: a timm name, or one with settings, such as `resnet18@width=0.5+depth=0.5`.

A student travels as this text through proposals, records and files. `width` and `depth` are factors on the model that
timm builds by that name, `output_stride` and `patch_size` are passed to timm as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from autokd.errors import UsageError

FACTORS = ("width", "depth")
SIZES = ("output_stride", "patch_size")


@dataclass(frozen=True)
class Spec:
    """A timm name with its tag, factors of width and depth, and what is passed on to timm."""

    name: str
    width: float = 1.0
    depth: float = 1.0
    output_stride: int | None = None
    patch_size: int | None = None

    def __str__(self) -> str:
        """The one spelling of this student; `parse` reads it back."""
        settings = [f"{key}={getattr(self, key):g}" for key in FACTORS if getattr(self, key) != 1]
        settings += [f"{key}={getattr(self, key)}" for key in SIZES if getattr(self, key) is not None]
        return self.name + ("@" + "+".join(settings) if settings else "")

    @property
    def is_scaled(self) -> bool:
        """Whether width or depth differ from timm's model."""
        return self.width != 1 or self.depth != 1

    @property
    def is_plain(self) -> bool:
        """Whether this is timm's model as it comes, so that what is known of that holds for this."""
        return self == Spec(self.name)


def parse(student: str) -> Spec:
    """The parts of a student's name; raises UsageError for a setting that is unknown, repeated or not a number."""
    name, mark, text = student.partition("@")
    values: dict[str, float | int] = {}
    for setting in text.split("+") if mark else ():
        key, _, value = setting.partition("=")
        if key not in (*FACTORS, *SIZES):
            raise UsageError(f"{student}: {key!r} is not a setting of a student; use {', '.join((*FACTORS, *SIZES))}")
        if key in values:
            raise UsageError(f"{student}: {key} is given twice; give it once")
        values[key] = _number(student, key, value)
    return Spec(name, **values)  # type: ignore[arg-type]


def base_name(student: str) -> str:
    """The timm name, tag included, without settings."""
    return student.partition("@")[0]


def _number(student: str, key: str, text: str) -> float | int:
    try:
        value: float | int = float(text) if key in FACTORS else int(text)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        kind = "a number" if key in FACTORS else "a whole number"
        raise UsageError(f"{student}: {key} {text!r} is not {kind} above 0; write for example {key}=2")
    return value
