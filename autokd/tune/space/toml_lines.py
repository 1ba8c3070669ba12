"""The line numbers of tables and keys in a TOML text; tomllib does not give them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Place = tuple[str | int, ...]  # keys and, in arrays, numbers from 0

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\-\"' ]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*([\w.\-\"']+)\s*=")


class Lines:
    """Line numbers of headers and keys, found by pattern matching; multi-line strings are not understood.

    A place without a line of its own, such as a key of an inline table, gets the line of its nearest parent.
    """

    def __init__(self, text: str, content: Mapping[str, Any]) -> None:
        self._lines = text.splitlines()
        self._content = content
        self._numbers: dict[Place, int] = {}
        for place, number in _places(self._lines):
            self._numbers.setdefault(place, number)

    def of(self, place: Place) -> int | None:
        """The line of a place, from 1; None where not even its outermost table is found."""
        known = next((place[:n] for n in range(len(place), 0, -1) if place[:n] in self._numbers), None)
        if known is None:
            return None
        first = self._numbers[known]
        value = _value(self._content, place)
        if known == place or not isinstance(value, str):
            return first
        return next((n for n in range(first, self._end(first)) if _quotes(self._lines[n - 1], value)), first)

    def _end(self, line: int) -> int:
        """The line of the next header or key, or the one after the last."""
        return min((n for n in self._numbers.values() if n > line), default=len(self._lines) + 1)


def _places(lines: list[str]) -> Iterator[tuple[Place, int]]:
    table: Place = ()
    counts: dict[Place, int] = {}
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            yield table, number
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
                yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip(" \"'") for part in dotted.split("."))


def _value(content: Any, place: Place) -> Any:
    """The value at a place; None where there is none."""
    for part in place:
        try:
            content = content[part]
        except (LookupError, TypeError):
            return None
    return content


def _quotes(line: str, text: str) -> bool:
    return f'"{text}"' in line or f"'{text}'" in line


class Problem(NamedTuple):
    """One mistake: its place and a sentence about it."""

    place: Place
    text: str
