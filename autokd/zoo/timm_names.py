"""Names and families of timm models, from the catalogue while it is current, so that timm is not imported for them."""

from __future__ import annotations

import difflib
import fnmatch
from functools import cache

from autokd.errors import UsageError
from autokd.zoo.catalogue import catalogue
from autokd.zoo.student_name import parse


@cache
def models() -> tuple[str, ...]:
    """All models of the installed timm, sorted."""
    if catalogue().is_current:
        return tuple(catalogue().names())
    import timm

    return tuple(timm.list_models())


@cache
def family_of(student: str) -> str:
    """timm's module that defines a student: `resnet`, `vision_transformer`, ..."""
    entry = catalogue().get(parse(student).name.partition(".")[0])
    if entry is not None:
        return entry.family
    from autokd.zoo.count import family

    return family(student)


def check(student: str) -> None:
    """Raise UsageError for an unknown student, with the nearest names; quick where the catalogue knows it."""
    spec = parse(student)
    architecture, _, tag = spec.name.partition(".")
    entry = catalogue().get(architecture) if catalogue().is_current else None
    if entry is not None and not spec.is_scaled and (not tag or tag in entry.weights):
        return
    from autokd.zoo.build import check_name

    check_name(student)


def matching(pattern: str) -> list[str]:
    """Models that a shell pattern matches; raises UsageError where it matches none."""
    found = fnmatch.filter(models(), pattern)
    if not found:
        raise UsageError(f"{pattern!r} matches no timm model; correct or remove it")
    return found


def of_family(family: str) -> list[str]:
    """Models of a family; raises UsageError, with the nearest names, for an unknown one."""
    found = [name for name in models() if family_of(name) == family]
    if not found:
        known = sorted({family_of(name) for name in models()})
        near = difflib.get_close_matches(family, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"they are {', '.join(known)}"
        raise UsageError(f"{family!r} is not a family of timm models; {hint}")
    return found
