"""What is wrong with the file of a search space, and on which line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

Place = tuple[str | int, ...]

HEADER = re.compile(r"\s*(\[\[?)\s*([\w.\-\"' ]+?)\s*\]\]?\s*(#.*)?$")
KEY = re.compile(r"\s*([\w.\-\"']+)\s*=")


def line_of(text: str, place: Place, literal: str | None = None) -> int | None:
    """The line, from 1, on which a place of a TOML text stands: its key, else its table; with `literal` that string.

    Tables are told by their headers and keys by what stands left of `=`, which is all that a search space needs.
    """
    best, depth, begin = None, 0, 0
    for number, where in _places(text):
        shared = _shared(where, place)
        if shared == len(where) and shared > depth:
            best, depth, begin = number, shared, number
    if literal is not None and best is not None:
        lines = text.splitlines()
        quoted = re.compile(f"([\"']){re.escape(literal)}\\1")
        return next((n for n in range(begin, len(lines) + 1) if quoted.search(lines[n - 1])), best)
    return best


def _places(text: str) -> Iterator[tuple[int, Place]]:
    """Every header and key with its line; tables of an array carry their number."""
    table: Place = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.match(line):
            name = header[2].replace('"', "").replace("'", "").replace(" ", "")
            table = tuple(name.split("."))
            if header[1] == "[[":
                counts[name] = counts.get(name, -1) + 1
                table = (*table, counts[name])
            yield number, table
        elif key := KEY.match(line):
            yield number, (*table, *key[1].replace('"', "").replace("'", "").split("."))


def _shared(one: Place, other: Place) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def problems(text: str, error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A sentence for everything that does not fit the model, each with its line where it can be told."""
    return [_located(text, tuple(each["loc"]), _sentence(each, model)) for each in error.errors()]


def located(text: str, place: Place, message: str, literal: str | None = None) -> str:
    """A message behind its line."""
    line = line_of(text, place, literal)
    return f"line {line}: {message}" if line else message


def _located(text: str, place: Place, message: str) -> str:
    return located(text, tuple(part for part in place if not _is_kind(part)), message)


def _is_kind(part: str | int) -> bool:
    """pydantic puts the member of a union that it tried into the place."""
    return isinstance(part, str) and (part[:1].isupper() or part in ("float", "int"))


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    place: Sequence[str | int] = problem["loc"]
    name = ".".join(str(part) for part in place if not _is_kind(part))
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a known key; {_nearest(model, place)}"
    if problem["type"] == "missing":
        return f"{name} is missing; add it"
    message = (
        str(problem["msg"])
        .removeprefix("Value error, ")
        .replace("Input should", "must")
        .replace("must be a valid", "must be a")
    )
    return f"{name}: {message}" if name else message


def _nearest(model: type[BaseModel], place: Sequence[str | int]) -> str:
    """Which key was meant, among those of the table at this place."""
    fields: dict[str, Any] = dict(model.model_fields)
    for part in place[:-1]:
        if part in fields:
            fields = dict(getattr(_inner(fields[str(part)].annotation), "model_fields", {}))
    known = list(fields)
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    return f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"


def _inner(annotation: Any) -> Any:
    """The model inside tuple[Model, ...] or Model | None."""
    arguments = [each for each in getattr(annotation, "__args__", ()) if hasattr(each, "model_fields")]
    return arguments[0] if arguments else annotation
