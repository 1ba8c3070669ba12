"""Fronts of students to choose from, and a made-up search among them: trials with validation noise, then finalists.

The finalists are chosen by autokd's own `choose_finalists`, so that there are picks, default recipes, a longer direct
training and twins, as in a real run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from simulated import Chance, Hardness, outcomes

from autokd.records import Arm, Recipe, TrialRecord
from autokd.tune.finalists import Finalist, choose_finalists
from autokd.tune.space.space import Space

BEST_RATE = 1e-3
EPOCHS = 30
SECONDS: dict[Arm, float] = {"distill": 90.0, "direct": 60.0}  # of a trial
SOFT_LABEL_SECONDS = 600.0


@dataclass(frozen=True)
class Student:
    """One student at its best recipe."""

    name: str
    accuracy: float
    cost: float  # dollars per 1,000 requests


@dataclass(frozen=True)
class Front:
    """What either arm can choose from, and what distilling does (nothing, unless said)."""

    name: str
    direct: tuple[Student, ...]
    distill: tuple[Student, ...] = ()  # as direct, where none are named
    val: int = 2000  # images
    gain: float = 0.0  # of every distilled training
    moved: float = 0.0  # share of the images whose hardness distilling changes, to the better as often as to the worse
    trials: int = 12  # of an arm
    finalists: int = 3  # picks of an arm, at most
    slope: float = field(default=0.004, repr=False)  # accuracy lost one decade from the best learning rate

    def pool(self, arm: Arm) -> tuple[Student, ...]:
        """The students of an arm."""
        return (self.distill or self.direct) if arm == "distill" else self.direct

    def student(self, name: str) -> Student:
        """A student by its name."""
        return next(each for each in (*self.direct, *self.distill) if each.name == name)

    def accuracy(self, name: str, recipe: Recipe) -> float:
        """The truth about a training, over infinitely many images and seeds."""
        lost = self.slope * math.log10(recipe.learning_rate / BEST_RATE) ** 2
        return self.student(name).accuracy - lost + (self.gain if recipe.alpha else 0.0)


def _students(accuracies: tuple[float, ...], costs: tuple[float, ...], prefix: str = "net") -> tuple[Student, ...]:
    pairs = enumerate(zip(accuracies, costs, strict=True))
    return tuple(Student(f"{prefix}_{number}", accuracy, cost * 1e-4) for number, (accuracy, cost) in pairs)


NEAR = _students((0.930, 0.929, 0.928, 0.927), (4.0, 3.0, 2.0, 1.4))
FRONTS = (
    Front("one student", _students((0.93,), (3.0,))),
    Front("near accuracies, other costs", NEAR),
    Front("steep", _students((0.940, 0.930, 0.915, 0.890), (8.0, 4.0, 2.0, 1.0))),
    Front("costs within 10 %", _students((0.930, 0.9295, 0.929, 0.9285), (3.0, 2.95, 2.88, 2.8))),
    Front("equals, 500 validation images", _students((0.93,) * 8, tuple(range(1, 9))), val=500),
    Front("distilling moves errors", NEAR, moved=0.1),
    Front(
        "distilled students are cheaper",
        _students((0.93,) * 4, (8.0, 7.0, 6.0, 5.0), "large"),
        _students((0.93,) * 4, (4.0, 3.0, 2.0, 1.4), "small"),
    ),
    Front("retention near its limit", _students((0.912, 0.911, 0.910, 0.909), (4.0, 3.0, 2.0, 1.4))),
    Front("retention above its limit", _students((0.916, 0.915, 0.914, 0.913), (4.0, 3.0, 2.0, 1.4))),
)


def searched(
    front: Front, hard: Mapping[tuple[str, Arm], Hardness], chance: Chance, rng: np.random.Generator
) -> list[Finalist]:
    """The finalists of one made-up search; `hard` is that of the validation images, by student and arm."""
    trials: list[TrialRecord] = []
    for arm in ("distill", "direct"):
        for _ in range(front.trials):
            trials.append(_trial(front, arm, len(trials), hard, chance, rng))
    space = Space.model_validate({"students": {"include": sorted({trial.student for trial in trials})}})
    return choose_finalists(trials, space, front.finalists, SOFT_LABEL_SECONDS)


def _trial(
    front: Front,
    arm: Arm,
    number: int,
    hard: Mapping[tuple[str, Arm], Hardness],
    chance: Chance,
    rng: np.random.Generator,
) -> TrialRecord:
    pool = front.pool(arm)
    student = pool[rng.integers(len(pool))]
    recipe = Recipe(
        learning_rate=BEST_RATE * 10 ** rng.uniform(-0.5, 0.5),
        epochs=EPOCHS,
        batch_size=64,
        alpha=rng.uniform(0.3, 1.0) if arm == "distill" else 0.0,
    )
    seen = outcomes(rng, front.accuracy(student.name, recipe), hard[student.name, arm], 1, chance)
    return TrialRecord(
        number=number,
        arm=arm,
        student=student.name,
        parameters=5_000_000,
        ratio=12.0,
        macs=100_000_000,
        cost_usd_per_1k=student.cost,
        recipe=recipe,
        state="complete",
        epochs=EPOCHS,
        val_accuracy=float(seen.mean()),
        seconds=SECONDS[arm],
    )
