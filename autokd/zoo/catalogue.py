"""Sizes of all timm models, counted beforehand by scripts/make_catalogue.py; read without timm or torch.

A count depends on a model's own module, on timm's layers and on timm's shared private modules. Their hashes are kept:
with another timm than the catalogue was made from, only models all of whose sources are the same are looked up here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata, util
from pathlib import Path
from typing import Any

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
    reason for which the model cannot be used at it. `per_class` is what one class adds to the first three.
    """

    family: str
    native: int  # image size of its own weights, pixels a side
    minimum: int | None  # smallest image size, where timm knows it
    fixed: bool  # works at the size it was built for only
    takes_size: bool  # is built for an image size (`img_size`)
    per_class: tuple[int, int, int]
    sizes: dict[int, tuple[int, int, int, int] | str]
    weights: dict[str, str]  # tags of published weights, with their licence where timm knows it
    top1: dict[str, float]  # ImageNet top-1 in percent, by tag

    def count(self, classes: int, image_size: int) -> Count | str | None:
        """The count, the reason for which there is none, or None for a size that was not tried."""
        known = self.sizes.get(image_size)
        if known is None or isinstance(known, str):
            return known
        parameters, macs, activations = (
            value + classes * each for value, each in zip(known[:3], self.per_class, strict=True)
        )
        return Count(parameters, macs, activations, known[3], self.family)


class Catalogue:
    """The data file, and whether the installed timm is the one it was made from."""

    def __init__(self, path: Path = FILE, installed: str | None = None) -> None:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.timm: str = content["timm"]
        self.installed = installed or metadata.version("timm")
        self._shared: str = content["shared"]
        self._hashes: dict[str, str] = content["families"]
        self._models: dict[str, Any] = content["models"]

    @property
    def is_current(self) -> bool:
        """Whether it was made from the installed timm."""
        return self.timm == self.installed

    def names(self) -> list[str]:
        """All models in it, whether or not the installed timm still has them alike."""
        return list(self._models)

    def get(self, name: str) -> Entry | None:
        """What is known of a model; None for one that is unknown or whose sources differ from the catalogue's."""
        content = self._models.get(name)
        if content is None or not self._holds(content["family"]):
            return None
        sizes = {int(size): tuple(c) if isinstance(c, list) else c for size, c in content["sizes"].items()}
        return Entry(
            family=content["family"],
            native=content["native"],
            minimum=content.get("minimum"),
            fixed=content.get("fixed", False),
            takes_size=content.get("takes_size", False),
            per_class=tuple(content["per_class"]),
            sizes=sizes,
            weights=content.get("weights", {}),
            top1=content.get("top1", {}),
        )

    def _holds(self, family: str) -> bool:
        return self.is_current or (self._shared, self._hashes.get(family)) == self._sources(family)

    def _sources(self, family: str) -> tuple[str, str]:
        if family not in self._seen:
            self._seen[family] = family_hash(family)
        return self._shared_now, self._seen[family]

    @cached_property
    def _seen(self) -> dict[str, str]:
        return {}

    @cached_property
    def _shared_now(self) -> str:
        return shared_hash()


@cache
def catalogue() -> Catalogue:
    """The packaged catalogue, read once."""
    return Catalogue()


def shared_hash() -> str:
    """Of what any model of the installed timm may be built from: its layers and the private modules of its models."""
    root = _timm_folder()
    return _hash(sorted([*(root / "layers").rglob("*.py"), *(root / "models").glob("_*.py")]), root)


def family_hash(family: str) -> str:
    """Of the module that defines a family in the installed timm."""
    root = _timm_folder()
    return _hash([path for path in [root / "models" / f"{family}.py"] if path.exists()], root)


def _hash(paths: list[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _timm_folder() -> Path:
    found = util.find_spec("timm")  # finds without importing
    assert found is not None and found.origin is not None  # noqa: S101 - a dependency
    return Path(found.origin).parent
