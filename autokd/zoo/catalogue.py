"""Sizes of all timm models, counted beforehand by scripts/make_catalogue.py; read without timm or torch.

A count depends on a model's own module, on timm's layers and on timm's shared private modules. Their hashes are kept:
with another timm than the catalogue was made from, only models all of whose sources are the same are looked up here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from autokd.zoo.student_name import parse
from autokd.zoo.timm_hashes import family_hash, shared_hash

FILE = Path(__file__).with_name("catalogue.json")


@dataclass(frozen=True)
class Count:
    """Size of a model with the task's head; `macs` and `activations` for one image at the task's size."""

    parameters: int
    macs: int
    activations: int  # output elements of convolutional and linear layers
    layers: int  # passes through convolutional and linear layers
    family: str  # timm's module: resnet, vision_transformer, ...


@dataclass(frozen=True)
class Entry:
    """What is known of one timm model.

    `sizes` has, for every image size that was tried, parameters without classes, MACs, activations and layers, or the
    reason for which the model cannot be used at it. `per_class` is what one class adds to the first three; a size at
    which it adds other MACs and activations, because the head grows with the image, has these two as well.
    A model that gives no scores at its native size has its parameters only.
    """

    family: str
    native: int  # image size of its own weights, pixels a side
    minimum: int | None  # smallest image size, where timm knows it
    fixed: bool  # works at the size it was built for only
    takes_size: bool  # is built for an image size (`img_size`), on which its parameters may depend
    body: int  # parameters without classes at the native size
    per_class: tuple[int, int, int]
    sizes: dict[int, tuple[int, ...] | str]
    weights: dict[str, str]  # tags of published weights, timm's default first, with their licence where timm knows it
    inputs: dict[str, int]  # image size of those weights for which it is not the native one
    top1: dict[str, float]  # ImageNet top-1 in percent, by tag

    def count(self, classes: int, image_size: int) -> Count | str | None:
        """The count, or the reason why there is none; None for a size that was not tried."""
        known = self.sizes.get(image_size)
        if isinstance(known, str):
            works = ", ".join(f"{size}" for size in self.works_at())
            return f"{known}; " + (
                f"of the sizes tried it works at {works} px" if works else "it works at no size tried"
            )
        if known is None:
            return None
        shares = (self.per_class[0], *known[4:]) if len(known) > 4 else self.per_class
        parameters, macs, activations = (value + classes * each for value, each in zip(known[:3], shares, strict=True))
        return Count(parameters, macs, activations, known[3], self.family)

    def parameters(self, classes: int, image_size: int) -> int | None:
        """Parameters, also at a size that was not tried or does not work; None where they may depend on that size."""
        if image_size == self.native or not self.takes_size:
            return self.body + classes * self.per_class[0]
        here = self.count(classes, image_size)
        return here.parameters if isinstance(here, Count) else None

    def works_at(self) -> list[int]:
        """Image sizes that were tried and work, ascending."""
        return sorted(size for size, known in self.sizes.items() if not isinstance(known, str))


class Catalogue:
    """The data file, and whether the installed timm is the one it was made from."""

    def __init__(self, path: Path = FILE, installed: str | None = None) -> None:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.timm: str = content["timm"]
        self.installed = installed or metadata.version("timm")
        self._shared: str = content["shared"]
        self._hashes: dict[str, str] = content["families"]
        self._reasons: list[str] = content.get("reasons", [])
        self._models: dict[str, Any] = content["models"]

    @property
    def is_current(self) -> bool:
        """Whether it was made from the installed timm."""
        return self.timm == self.installed

    def names(self) -> list[str]:
        """All models in it, also those that the installed timm has changed since."""
        return list(self._models)

    def get(self, name: str) -> Entry | None:
        """What is known of a model; None for one that is unknown or whose sources differ from the catalogue's."""
        content = self._models.get(name)
        if content is None or not self._holds(content["family"]):
            return None
        return Entry(
            family=content["family"],
            native=content["native"],
            minimum=content.get("minimum"),
            fixed=content.get("fixed", False),
            takes_size=content.get("takes_size", False),
            body=content["parameters"],
            per_class=tuple(content["per_class"]),
            sizes={int(size): self._size(content, known) for size, known in content["sizes"].items()},
            weights=content.get("weights", {}),
            inputs=content.get("inputs", {}),
            top1=content.get("top1", {}),
        )

    def _size(self, content: dict[str, Any], known: list[int] | int | str) -> tuple[int, ...] | str:
        """MACs and activations; all numbers where the others are not the model's own; or a reason's number."""
        if isinstance(known, list):
            return tuple(known) if len(known) > 2 else (content["parameters"], *known, content["layers"])
        return known if isinstance(known, str) else self._reasons[known]

    def _holds(self, family: str) -> bool:
        return self.is_current or (self._shared, self._hashes.get(family)) == (shared_hash(), family_hash(family))


@cache
def catalogue() -> Catalogue:
    """The packaged catalogue, read once."""
    return Catalogue()


def entry_of(student: str) -> Entry | None:
    """What is known of timm's model that a student is; None for one with settings, and for one that is not known."""
    spec = parse(student)
    return catalogue().get(spec.name.partition(".")[0]) if spec.is_plain else None


def lookup(student: str, classes: int, image_size: int) -> Count | str | None:
    """A student's count or the reason for which it cannot be used; None where it has to be built to be counted."""
    entry = entry_of(student)
    return entry.count(classes, image_size) if entry else None
