"""What the next trial of an arm fixes: its student, and the recipe of a student's first trials.

Every student of the short list is tried once by the arm's first recipe. The trials that are left go to the most
promising ones, by what both arms have found: first other learning rates and the other first recipes in turn, then what
the sampler draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from autokd.records import Arm, TrialRecord
from autokd.tune.short_list import Standing, best_first
from autokd.tune.space.default_recipe import default_rates
from autokd.tune.space.schema import Range
from autokd.tune.space.space import RATES, Space

RATE_STEP = 2.5  # between a student's learning rates that are tried first
STEPS = {RATES[False]: (1.0, RATE_STEP, 1 / RATE_STEP), RATES[True]: (1.0, 1 / RATE_STEP, RATE_STEP)}
TURNS = (3, 2, 1)  # of the most promising students, as parts of the trials that are left


class Proposals:
    """Of one arm; `students`: those of the short list that may enter it, most promising first, with their families."""

    def __init__(
        self,
        space: Space,
        arm: Arm,
        students: Mapping[str, str],
        ranges: Mapping[str, Range],
        margin: float,
        by_cost: bool,
    ) -> None:
        self._arm, self._students, self._margin, self._by_cost = arm, list(students), margin, by_cost
        firsts = [first for first in space.firsts(arm) if "student" not in first or first["student"] in students]
        self._named = [first for first in firsts if "student" in first]
        self._recipes = [first for first in firsts if "student" not in first] or [{}]
        self._rates = {
            student: _rates(default_rates(space, arm, family), ranges) for student, family in students.items()
        }

    def fixed(self, trials: Sequence[TrialRecord]) -> dict[str, Any]:
        """Parameters of the next trial by the names of Recipe, `student` among them; trials: of both arms so far."""
        own = [trial for trial in trials if trial.arm == self._arm]
        if len(own) < len(self._named):
            return self._named[len(own)]
        visits = {student: sum(1 for trial in own if trial.student == student) for student in self._students}
        student = next((s for s in self._students if not visits[s]), None) or self._next(visits, trials)
        return {"student": student, **self._recipe(self._rates[student], visits[student])}

    def _next(self, visits: Mapping[str, int], trials: Sequence[TrialRecord]) -> str:
        """The student whose turn it is among the most promising ones."""
        ranked = best_first(self._standings(trials), self._margin, self._by_cost)[: len(TURNS)] or self._students[:1]
        turns = dict(zip(ranked, TURNS, strict=False))
        return min(ranked, key=lambda student: ((visits[student] + 1) / turns[student], ranked.index(student)))

    def _standings(self, trials: Sequence[TrialRecord]) -> list[Standing]:
        """The best that either arm has found of each of this arm's students."""
        best: dict[str, Standing] = {}
        for trial in trials:
            if trial.state != "complete" or trial.val_accuracy is None or trial.student not in self._students:
                continue
            known = best.get(trial.student)
            if known is None or trial.val_accuracy > known.accuracy:
                best[trial.student] = Standing(trial.student, trial.val_accuracy, trial.cost_usd_per_1k, (self._arm,))
        return list(best.values())

    def _recipe(self, rates: Sequence[Mapping[str, float]], visit: int) -> dict[str, Any]:
        """The usual one first, then another rate and another recipe in turn; nothing where none is left."""
        usual, *recipes = ({**rates[0], **recipe} for recipe in self._recipes)
        others = ({**rate, **self._recipes[0]} for rate in rates[1:])
        tried = [usual, *(each for pair in zip_longest(others, recipes) for each in pair if each is not None)]
        return tried[visit] if visit < len(tried) else {}


def _rates(usual: Mapping[str, float], ranges: Mapping[str, Range]) -> list[dict[str, float]]:
    """The rates that a student is tried with first, within their ranges and none twice, by their names in the space."""
    searched = [name for name in usual if name in ranges]
    tried = [
        {name: min(max(usual[name] * STEPS[name][i], ranges[name].low), ranges[name].high) for name in searched}
        for i in range(3)
    ]
    return [tried[0], *(rates for rates in tried[1:] if rates != tried[0])]
