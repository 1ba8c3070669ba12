"""How the sampler sees students: by family and size, so that what it learns of one holds for its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

FAMILY, SIZE = "family", "size"
APART = 1e-9  # between equal sizes, so that each has its own half of the neighbourhood


@dataclass(frozen=True)
class Student:
    """What a place is made of."""

    name: str
    family: str
    size: float  # any measure that grows with the student; parameters


class Places:
    """Students by family and by the logarithm of their size: 0 for the smallest of all, 1 for the largest."""

    def __init__(self, students: Sequence[Student]) -> None:
        logs = [math.log(student.size) for student in students]
        low, span = min(logs), (max(logs) - min(logs)) or 1.0
        ranked = sorted(students, key=lambda student: (student.size, student.name))
        self._sizes = {
            student.name: (math.log(student.size) - low) / span * (1 - APART * len(ranked)) + APART * rank
            for rank, student in enumerate(ranked)
        }
        self.names = [student.name for student in students]
        self._families: dict[str, list[str]] = {}
        for student in students:
            self._families.setdefault(student.family, []).append(student.name)
        self.families = sorted(self._families)

    def draw(self, trial: optuna.Trial) -> str:
        """The student nearest to the size that the sampler asks for, in the family it asks for."""
        trial.suggest_categorical(FAMILY, self.families)
        trial.suggest_float(SIZE, 0.0, 1.0)
        return self.at(trial.params)

    def at(self, params: Mapping[str, Any]) -> str:
        """The student at a place; the first by name of those equally near."""
        members = self._families[params[FAMILY]]
        return min(members, key=lambda name: (abs(self._sizes[name] - params[SIZE]), name))

    def place(self, name: str) -> dict[str, Any]:
        """Family and size of a student, as the sampler would draw them; `at` gives the student back."""
        family = next(family for family, members in self._families.items() if name in members)
        return {FAMILY: family, SIZE: self._sizes[name]}
