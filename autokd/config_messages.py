"""What is said of a setting whose value cannot be used."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from autokd.errors import ConfigError
from autokd.naming import did_you_mean, named, set_to

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

# pydantic's type of an error -> what a value has to be, filled in from the error's context
_MUST_BE = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "literal_error": "{expected}",
    "value_error": "{error}",  # of a validator of our own
}


def cannot_be_used(name: str, field: FieldInfo, error: ErrorDetails) -> str:
    """Why a value of a setting cannot be used, or that it is missing, in one sentence."""
    meaning = field.description
    if error["type"] == "missing":
        return f"{named(name)} is missing ({meaning}); give it"
    rule = _MUST_BE.get(error["type"])
    bounds = {key: _readable(value) for key, value in error.get("ctx", {}).items()}
    problem = f"it must be {rule.format(**bounds)}" if rule else error["msg"]
    near = ""
    if error["type"] == "literal_error":
        near = did_you_mean(str(error["input"]), _choices(field))
    return f"{set_to(name, error['input'])} cannot be used: {problem} ({meaning}){near}"


def refuse_unknown(names: Collection[str], known: Collection[str]) -> None:
    """Raises ConfigError for the first name that is not known, with those that are like it."""
    for name in names:
        if name not in known:
            near = did_you_mean(name, known) or "; `autokd search --help` lists all settings"
            raise ConfigError(f"unknown setting {name!r}{near}")


def _readable(value: object) -> str:
    """A bound with its thousands apart: 65,536; 0.5."""
    return f"{value:,.15g}" if isinstance(value, (int, float)) else str(value)


def _choices(field: FieldInfo) -> tuple[str, ...]:
    """The values of a setting that is a Literal, or a Literal or None."""
    parts = (field.annotation, *get_args(field.annotation))
    return next((get_args(part) for part in parts if get_origin(part) is Literal), ())
