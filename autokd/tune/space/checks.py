"""What is wrong with a search space: sentences that name mistake and remedy, each with its place in the file."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from autokd.records import ARMS, Arm
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.schema import ArmSection, Default, DirectSection, DistillSection, First, Range, Values
from autokd.tune.space.toml_lines import Place, Problem

if TYPE_CHECKING:
    from autokd.tune.space.space import Space


def misfits(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Everything that does not fit the sections: unknown keys, wrong types, values out of bounds."""
    return [
        Problem(tuple(each["loc"]), _sentence(each, model))
        for each in error.errors()
        if not (each["type"] == "too_short" and each["input"])  # a list of which all elements are wrong
    ]


def contradictions(space: Space) -> list[Problem]:
    """Values that are allowed one by one, but not together."""
    return [*_losses(space), *_schedules(space), *_firsts(space), *_default(space)]


def strangers(space: Space, students: Collection[str]) -> list[Problem]:
    """First proposals of students that are not among the space's own."""
    return [
        Problem(
            place := ("first", number, "student"),
            f"{spell(place)}: {first.student} is not one of this space's students; include it, or leave this out",
        )
        for number, first in enumerate(space.first)
        if first.student and first.student not in students
    ]


# ---- misfits ---------------------------------------------------------------------------------------------------

_MESSAGES = {
    "missing": "is missing; add it",
    "model_type": "should be a table",
    "tuple_type": "should be a list in [ ]",
    "too_short": "is empty; add to it, or remove it",
    "too_long": "has more than 1,000 entries; give fewer, or patterns",
}


def _sentence(problem: Any, model: type[BaseModel]) -> str:
    place, kind, message = tuple(problem["loc"]), problem["type"], str(problem["msg"])
    if isinstance(place[-1], str) and place[-1] not in (known := _keys(model, place[:-1])):
        return _unknown_key(place, known)
    if kind in _MESSAGES:
        return f"{spell(place)} {_MESSAGES[kind]}"
    if message.startswith("Input should"):
        return f"{spell(place)} {message.removeprefix('Input ')}, not {reprlib.repr(problem['input'])}"
    return f"{spell(place)}: {message.removeprefix('Value error, ')}"


def _unknown_key(place: Place, known: Sequence[str]) -> str:
    if place[:2] == ("recipe", "direct") and place[-1] in DistillSection.model_fields:
        return f"{spell(place)} is for distilling alone; move it to [recipe.distill]"
    if place[-1] == "base":
        return f"{spell(place)} is not a known key; if a base space is meant, write it above the first [table]"
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the keys there are {', '.join(known)}"
    return f"{spell(place)} is not a known key; {hint}"


def spell(place: Place) -> str:
    """A place for people: `high` of alpha in [recipe.distill]."""
    keys = [str(part) for part in place if isinstance(part, str)]
    depth = 2 if keys[0] == "recipe" or keys[:2] == ["students", "scaled"] else 1
    is_list = keys[0] == "first" or keys[:2] == ["students", "scaled"]
    table = ".".join(keys[:depth])
    section = f"[[{table}]]" if is_list else f"[{table}]"
    inside = keys[depth:]
    if not inside:
        return section
    of = "".join(f" of {key}" for key in reversed(inside[:-1]))
    return f"`{inside[-1]}`{of} in {section}"


def _keys(model: type[BaseModel], place: Place) -> list[str]:
    """The keys of the table at a place."""
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or Range
    extra = _parameters(DistillSection, DirectSection) if issubclass(model, Values) else []
    return [*(() if place else ("base",)), *model.model_fields, *extra]


def _parameters(*sections: type[ArmSection]) -> list[str]:
    """What the sections may give a range or a value, each name once."""
    return list(
        dict.fromkeys(
            name for section in sections for name in section.model_fields if name not in ("losses", "schedules")
        )
    )


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in `Model`, `Model | None` or `tuple[Model, ...]`."""
    candidates = [annotation, *getattr(annotation, "__args__", ())]
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), None)


# ---- contradictions --------------------------------------------------------------------------------------------


def _losses(space: Space) -> Iterator[Problem]:
    distill, place = space.recipe.distill, ("recipe", "distill", "losses")
    if len(set(distill.losses)) < len(distill.losses):
        yield Problem(place, f"{spell(place)} names one of them twice; once is enough")
    if "dkd" in distill.losses and distill.mixes:
        yield Problem(place, f"{spell(place)}: dkd needs one label an image; leave out dkd, or mixup and cutmix")


def _schedules(space: Space) -> Iterator[Problem]:
    for arm in ARMS:
        schedules = space.recipe.of(arm).schedules
        if len(set(schedules)) < len(schedules):
            place = ("recipe", arm, "schedules")
            yield Problem(place, f"{spell(place)} names one of them twice; once is enough")


def _firsts(space: Space) -> Iterator[Problem]:
    for number, first in enumerate(space.first):
        schedules = space.recipe.of(first.arm).schedules
        if first.schedule and first.schedule not in schedules:
            place: Place = ("first", number, "schedule")
            text = f"{first.schedule} is not searched; add it to schedules in [recipe.{first.arm}] ("
            yield Problem(place, f"{spell(place)}: {text}{', '.join(schedules)}), or name one of these")
        place = ("first", number, "loss")
        if first.loss and first.arm == "direct":
            yield Problem(place, f"{spell(place)} is for the distill arm; leave it out")
        elif first.loss and first.loss not in space.recipe.distill.losses:
            losses = ", ".join(space.recipe.distill.losses)
            text = (
                f"{first.loss} is not searched; add it to losses in [recipe.distill] ({losses}), or name one of these"
            )
            yield Problem(place, f"{spell(place)}: {text}")
        known = _parameters(type(space.recipe.of(first.arm)))
        searched = space.ranges(first.arm, classes=2)
        for name, value in first.values.items():
            place = ("first", number, name)
            if name not in known:
                yield Problem(place, _unknown_key(place, [*First.model_fields, *known]))
            elif name not in searched:
                need = "the loss dkd" if name == "beta" else f"a range in [recipe.{first.arm}]"
                yield Problem(place, f"{spell(place)} is not searched without {need}; add that, or leave this out")
            elif why := _misfit(space.recipe.of(first.arm), name, value) or _outside(space, first.arm, name, value):
                yield Problem(place, f"{spell(place)}: {why}")


def _outside(space: Space, arm: Arm, name: str, value: float) -> str | None:
    """Why the sampler could not draw this value; None where it could, or where the number of classes decides."""
    bounds = space.recipe.of(arm).given().get(name)
    if bounds is None or bounds.low <= value <= bounds.high:
        return None
    return f"{value:g} is outside of what is searched ({bounds}); change one of them"


def _misfit(section: ArmSection, name: str, value: float) -> str | None:
    """Why a value could not be the parameter of any recipe."""
    try:
        type(section).model_validate({name: value})
    except ValidationError as error:
        return str(error.errors()[0]["msg"]).removeprefix("Value error, ")
    return None


def _default(space: Space) -> Iterator[Problem]:
    distill, direct = space.recipe.distill, space.recipe.direct
    known = _parameters(DistillSection, DirectSection)
    for name, value in space.default.values.items():
        place: Place = ("default", name)
        section = distill if name in _parameters(DistillSection) else direct
        if name not in known:
            yield Problem(place, _unknown_key(place, [*Default.model_fields, *known]))
        elif text := _misfit(section, name, value):
            yield Problem(place, f"{spell(place)}: {text}")
    recipe = default_recipe(space, "distill")
    if recipe["loss"] == "dkd" and (recipe.get("mixup") or recipe.get("cutmix")):
        yield Problem(("default",), "[default]: dkd needs one label an image; choose another loss, or do not mix")
