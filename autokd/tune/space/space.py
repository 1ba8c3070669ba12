"""A search space as its file says it: students, ranges and first proposals; see also default_recipe.py."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import Field

from autokd.errors import SpaceError
from autokd.files import digest
from autokd.records import Arm, Loss
from autokd.records.losses import MOST_ALPHA, OVER_CLASSES, unread
from autokd.tune.space.schema import Default, First, Range, Recipes, Section, Students
from autokd.tune.space.students import named_students

RATES = {False: "learning_rate", True: "fine_tuning_rate"}  # by whether a student starts from given weights


class Space(Section):
    """A search space as its file says it, its base included."""

    students: Students
    recipe: Recipes = Recipes()
    first: tuple[First, ...] = Field((), strict=False)
    default: Default = Default()

    @property
    def fingerprint(self) -> str:
        """Sixteen digits that name what the space says; defaults that are written out change nothing."""
        return digest(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    def names(self) -> list[str]:
        """The students, in the order of the file; raises SpaceError for an entry that names none."""
        found, problems = named_students(self.students)
        if problems:
            raise SpaceError(problems[0].text)
        return found

    def temperature(self, classes: int) -> Range:
        """The range of temperatures: as given, else wide for few classes and low for many."""
        few = Range(low=1.0, high=20.0, log=True)
        return self.recipe.distill.temperature or (few if classes <= 100 else Range(low=0.5, high=4.0, log=True))

    def ranges(self, arm: Arm, classes: int, starts: Collection[bool] = (False, True)) -> dict[str, Range]:
        """What the sampler draws after student, loss and schedule, by its name in the file; fixed values included.

        starts: whether there are students that start from given weights (True), from random ones (False), or both.
        """
        found = self.recipe.of(arm).given()
        for fine_tuning, name in RATES.items():
            if fine_tuning not in starts:
                del found[name]
        if arm == "distill":
            found["temperature"] = self.temperature(classes)
            if "dkd" not in self.recipe.distill.losses:
                del found["beta"]
        return found

    def suited(self, classes: int) -> tuple[Space, str | None]:
        """The space for a task of so many classes, and a remark where that is another one.

        Over two classes every correlation is 1 or -1: `kl_zscore` then has no gradient, and the first half of `dist`
        none. `kl` replaces them.
        """
        asked = self.recipe.distill.losses
        useless = [loss for loss in asked if loss in OVER_CLASSES]
        if classes > 2 or not useless:
            return self, None

        def kept(loss: Loss | None) -> Loss | None:
            return "kl" if loss in OVER_CLASSES else loss

        losses = tuple(dict.fromkeys("kl" if loss in OVER_CLASSES else loss for loss in asked))
        distill = self.recipe.distill.model_copy(update={"losses": losses})
        changed = {
            "recipe": self.recipe.model_copy(update={"distill": distill}),
            "first": tuple(first.model_copy(update={"loss": kept(first.loss)}) for first in self.first),
            "default": self.default.model_copy(update={"loss": kept(self.default.loss)}),
        }
        remark = (
            f"{' and '.join(useless)} compare{'s' if len(useless) == 1 else ''} how classes correlate, which says "
            "nothing with two of them; trainings use kl instead."
        )
        return self.model_copy(update=changed), remark

    def firsts(self, arm: Arm) -> list[dict[str, Any]]:
        """Parameters of an arm's first proposals, by the names of Recipe; `student` where it is fixed."""
        usual: dict[str, Any] = {"loss": self.recipe.distill.losses[0]} if arm == "distill" else {}
        if len(schedules := self.recipe.of(arm).schedules) > 1:
            usual["schedule"] = schedules[0]
        found = []
        for first in self.first:
            if first.arm == arm:
                own = {"student": first.student, "loss": first.loss, "schedule": first.schedule, **first.values}
                found.append(usual | {name: value for name, value in own.items() if value is not None})
        return found


def at_its_rate(fields: Mapping[str, Any], fine_tuning: bool) -> dict[str, Any]:
    """Fields of a recipe with the learning rate of a student that starts from given weights, or from random ones."""
    others = {name: value for name, value in fields.items() if name not in RATES.values()}
    return {**others, "learning_rate": fields[RATES[fine_tuning]], "fine_tuning": fine_tuning}


def as_read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a distilling recipe as its loss takes them: without those that it does not read, alpha within bounds.

    So equal trainings are equal recipes.
    """
    fields = {**fields, "alpha": min(fields["alpha"], MOST_ALPHA.get(fields["loss"], 1.0))}
    left_out = unread(fields["loss"]) | ({"label_smoothing"} if fields["alpha"] >= 1 else set())
    return {name: value for name, value in fields.items() if name not in left_out}
