"""The name of a setting in messages: as the caller gave it, or would give it.

    keyword     max_cost=0.01                   a call from Python; the default
    flag        --max-cost 0.01                 the command line
    key         max_cost = 0.01                 a config file
    variable    AUTOKD_SEARCH_MAX_COST=0.01     the environment

The command line sets the style with `naming`. A new thread starts with the default.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

Style = Literal["keyword", "flag", "key", "variable"]


@dataclass(frozen=True)
class Names:
    """The style for all settings, except those with a style of their own."""

    style: Style
    own: Mapping[str, Style] = field(default_factory=dict)
    prefix: str = "AUTOKD_SEARCH"  # of variables


_KEYWORDS = Names("keyword")
_names: ContextVar[Names] = ContextVar("names", default=_KEYWORDS)


@contextmanager
def naming(names: Names) -> Iterator[None]:
    """Use these names within the block."""
    token = _names.set(names)
    try:
        yield
    finally:
        _names.reset(token)


def named(name: str) -> str:
    """A setting: `max_cost` or `--max-cost`."""
    names = _names.get()
    style = names.own.get(name, names.style)
    if style == "flag":
        return _flag(name)
    return f"{names.prefix}_{name.upper()}" if style == "variable" else name


def set_to(name: str, value: object) -> str:
    """A setting with its value: `max_cost=0.01` or `--max-cost 0.01`."""
    value = str(value) if isinstance(value, PurePath) else value
    names = _names.get()
    style = names.own.get(name, names.style)
    if style == "flag" and isinstance(value, bool):
        return _flag(name) if value else _flag(f"no_{name}")
    if style == "flag":
        return f"{_flag(name)} {shlex.quote(_plain(value))}"
    if style == "variable":
        return f"{named(name)}={shlex.quote(_plain(value))}"
    if style == "key":
        return f"{name} = {_plain(value) if _is_number(value) else json.dumps(value, default=str)}"
    return f"{name}={_plain(value) if _is_number(value) else repr(value)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean max_cost?`, or nothing if no known name is similar."""
    near = difflib.get_close_matches(name.replace("-", "_"), list(known), n=2, cutoff=0.7)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain(value: object) -> str:
    """A value as text: 20 for 20.0."""
    if isinstance(value, float) and float(short := f"{value:g}") == value:
        return short
    return str(value)
