"""Durations as people write them: 90s, 30m, 2h, 1h30m, or a number of seconds."""

from __future__ import annotations

import re

_NUMBER = r"(\d+(?:\.\d+)?)"
_WRITTEN = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?|{_NUMBER}", re.ASCII)
_SECONDS = (3600, 60, 1, 1)


def seconds_of(given: object) -> object:
    """Seconds of a duration, None of `none`; what is no text is returned as it is. Raises ValueError."""
    if not isinstance(given, str):
        return given
    text = given.replace(" ", "").lower()
    if text == "none":
        return None
    found = _WRITTEN.fullmatch(text)
    if not text or found is None:
        raise ValueError("a duration such as 90s, 30m, 2h or 1h30m, or a number of seconds")
    return sum(float(number) * each for number, each in zip(found.groups(), _SECONDS, strict=True) if number)


def as_given(seconds: float) -> str:
    """A duration without losing a second: 5 min, 1 h 30 min, 45 s."""
    if seconds < 60:
        return f"{seconds:g} s"
    hours, rest = divmod(round(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return " ".join(f"{count} {unit}" for count, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if count)
