"""A search space as its file says it: students, ranges, first proposals and the default recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from autokd.errors import SpaceError
from autokd.files import digest
from autokd.records import Arm
from autokd.tune.space.schema import Default, First, Range, Recipes, Section, Students
from autokd.tune.space.students import named_students

USUAL = {"temperature": 4.0, "alpha": 0.9, "learning_rate": 1e-3}  # of the default recipe


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

    def ranges(self, arm: Arm, classes: int) -> dict[str, Range]:
        """What the sampler draws beside the student and the loss, by the names of Recipe; fixed values among it."""
        found = self.recipe.of(arm).given()
        if arm == "distill":
            found["temperature"] = self.temperature(classes)
            if "dkd" not in self.recipe.distill.losses:
                del found["beta"]
        return found

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

    def default_recipe(self, arm: Arm) -> dict[str, Any]:
        """Fields of the arm's default recipe: from [default], else what is fixed, else the usual values."""
        given = self.recipe.of(arm).given()
        fixed = {name: bounds.low for name, bounds in given.items() if bounds.is_fixed}
        values = {**USUAL, **fixed, **self.default.values}
        fields: dict[str, Any] = {
            name: values[name] for name in type(self.recipe.of(arm)).model_fields if name in values
        }
        schedules = self.recipe.of(arm).schedules
        fields["schedule"] = self.default.schedule or ("cosine" if "cosine" in schedules else schedules[0])
        if arm == "direct":
            return fields
        losses = self.recipe.distill.losses
        loss = self.default.loss or ("kl" if "kl" in losses else losses[0])
        return as_read({**fields, "loss": loss})


def as_read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a distilling recipe without those that it does not read: equal trainings are equal recipes."""
    reads = {
        "temperature": fields["loss"] != "hard",
        "beta": fields["loss"] == "dkd",
        "label_smoothing": fields["alpha"] < 1,
    }
    unread = {name for name, read in reads.items() if not read}
    return {name: value for name, value in fields.items() if name not in unread}
