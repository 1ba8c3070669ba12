"""The base of a search space: another space, whose keys a file takes unless it has its own.

    base = "default"      # above all tables: the name of a shipped space, or a path from this file's folder

[recipe.distill], [recipe.direct] and [default] are taken key by key. [students] and the list of [[first]] are taken
whole, by a file that has none; `first = []` stands for none at all. A base may have a base of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autokd.errors import SpaceError
from autokd.formatting import escaped
from autokd.tune.space.toml_lines import Lines, Place

BY_KEY: frozenset[Place] = frozenset({(), ("recipe",), ("recipe", "distill"), ("recipe", "direct"), ("default",)})


@dataclass(frozen=True)
class Source:
    """A file as it was read."""

    name: str  # as the option or the file that names it calls it
    path: Path
    content: Mapping[str, Any]
    lines: Lines
    text: str = ""

    @property
    def line_of_base(self) -> int | None:
        """The line of the key `base`; None where there is none."""
        return self.lines.of(("base",))

    def at_base(self, text: str) -> str:
        """A sentence about the key `base`, with its place."""
        return located(self.path, self.line_of_base, text)


def with_bases(
    name: str, path: Path, read: Callable[[str, Path], Source], find: Callable[[str, Path], Path]
) -> list[Source]:
    """A file, its base, the base of that, and so on.

    `read` reads a file; `find` gives the path of a base as a file in a folder names it. Raises SpaceError.
    """
    sources = [read(name, path)]
    while (base := (last := sources[-1]).content.get("base")) is not None:
        if not isinstance(base, str):
            raise SpaceError(last.at_base(f"`base` should be the name or the file of a space, not {base!r}"))
        try:
            path = find(base, last.path.parent)
        except SpaceError as error:
            raise SpaceError(last.at_base(f"`base`: {error}")) from None
        if any(path.samefile(source.path) for source in sources):
            raise SpaceError(last.at_base(f"`base` leads back to {path.name}; name another space, or leave it out"))
        sources.append(read(base, path))
    return sources


def resolved(sources: Sequence[Source]) -> dict[str, Any]:
    """What a file says together with its bases, without the key `base`."""
    content: Any = {}
    for source in reversed(sources):
        content = _over(source.content, content, ())
    return {key: value for key, value in content.items() if key != "base"}


def source_of(place: Place, sources: Sequence[Source]) -> Source:
    """The file that gives the value at a place; the first file where none does."""
    depth = next((n for n in range(len(place)) if place[:n] not in BY_KEY), len(place))
    return next((source for source in sources if _has(source.content, place[:depth])), sources[0])


def located(path: Path, line: int | None, text: str) -> str:
    """A sentence about a file, with its place."""
    return escaped(f"{path}, line {line}: {text}" if line else f"{path}: {text}")


def _over(own: Any, base: Any, place: Place) -> Any:
    """What is said at a place, where both the file and its base say something."""
    if place not in BY_KEY or not isinstance(own, Mapping) or not isinstance(base, Mapping):
        return own
    shared = {key: _over(own[key], base[key], (*place, key)) for key in own if key in base}
    return {**base, **own, **shared}


def _has(content: Any, place: Place) -> bool:
    for part in place:
        if not isinstance(content, Mapping) or part not in content:
            return False
        content = content[part]
    return True
