"""Which students are worth looking at first, where not all can be: what trainings of other data sets say.

A linear model of sizes, published top-1 and architecture family was fitted by ridge regression on recorded trainings
(benchmarks/fit_prior_knowledge.py, which also tells how well it ranks the students of a data set that it has not
seen). It orders lists; it is no evidence, and no verdict depends on it.

A student that starts from published weights is ordered by their top-1 alone: accuracy on ImageNet ranks fine-tuned
models with a correlation of 0.96 (Kornblith, Shlens, Le 2019, arXiv:1805.08974).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import NamedTuple

from autokd.records import Record
from autokd.tune.short_list import SAME_COST, Standing, spread
from autokd.zoo.catalogue import Count, entry_of

FILE = "prior_knowledge.json"
FEWEST = 8  # students that a rank correlation is told of
HEAD_START = 100.0  # whoever starts from published weights stands before all who do not


class Feature(Record):
    """One number that is known of a student, and what one deviation more of it adds."""

    mean: float
    deviation: float
    weight: float


class PriorKnowledge(Record):
    """The fitted model, and what it was fitted on."""

    features: dict[str, Feature]
    families: dict[str, float]  # what each adds; others add nothing
    data: dict[str, int]  # students by data set and arm
    rank_correlation: dict[str, float]  # with the accuracies of a data set, fitted on the others

    def promise(self, count: Count, top1: float | None) -> float:
        """How far a student from random weights is expected above the middle of a list, in standard deviations."""
        known = features_of(count, top1)
        terms = [
            each.weight * (known[name] - each.mean) / each.deviation
            for name, each in self.features.items()
            if name in known
        ]
        return sum(terms) + self.families.get(count.family, 0.0)


class Promising(NamedTuple):
    """A student before anything is trained; cost in any unit."""

    student: str
    promise: float
    cost: float


@cache
def prior_knowledge() -> PriorKnowledge:
    """The model that comes with autokd."""
    text = resources.files("autokd.tune").joinpath(FILE).read_text(encoding="utf-8")
    return PriorKnowledge.model_validate(json.loads(text))


def features_of(count: Count, top1: float | None) -> dict[str, float]:
    """Logarithms of the sizes; published top-1 in percent, where there is one."""
    sizes = {
        "parameters": count.parameters,
        "macs": count.macs,
        "activations": count.activations,
        "layers": count.layers,
    }
    return {name: math.log(max(size, 1)) for name, size in sizes.items()} | ({} if top1 is None else {"top1": top1})


def published_top1(student: str) -> float | None:
    """ImageNet top-1 of the first of its published weights that has one, percent; None for scaled students."""
    entry = entry_of(student)
    return next((entry.top1[tag] for tag in entry.weights if tag in entry.top1), None) if entry else None


def promises(counts: Mapping[str, Count], published: Collection[str] = ()) -> dict[str, float]:
    """What is expected of every student; published: those that start from published weights."""
    return {student: _promise(student, count, student in published) for student, count in counts.items()}


def agreement(promised: Sequence[float], seen: Sequence[float]) -> float | None:
    """Rank correlation (Spearman 1904) of what was promised with accuracies; None for fewer than FEWEST, or equals."""
    if len(seen) < FEWEST or len({*promised}) == 1 or len({*seen}) == 1:
        return None
    from scipy.stats import spearmanr

    return float(spearmanr(promised, seen).statistic)


def most_promising_first(students: Sequence[Promising]) -> list[str]:
    """All students: of three, two by promise along the front of promise and cost, and one along all costs."""
    along_cost = spread([Standing(each.student, 0.0, each.cost, ()) for each in students])
    place = {student: i for i, student in enumerate(along_cost)}
    shortfalls = _shortfalls(students)
    by_promise = sorted(shortfalls, key=lambda student: (shortfalls[student], place[student]))
    turns = (by_promise[2 * i : 2 * i + 2] + along_cost[i : i + 1] for i in range(len(students)))
    return [*dict.fromkeys(student for turn in turns for student in turn)]


def _promise(student: str, count: Count, published: bool) -> float:
    top1 = published_top1(student)
    if published:
        return HEAD_START + (top1 or 0.0)  # only the order counts
    return prior_knowledge().promise(count, top1)


def _shortfalls(students: Sequence[Promising]) -> dict[str, float]:
    """How much more is promised at each student's cost or less; spaces may hold thousands of them."""
    ordered = sorted(students, key=lambda each: each.cost)
    costs = [each.cost for each in ordered]
    best = [*accumulate((each.promise for each in ordered), max)]
    return {each.student: best[bisect_right(costs, SAME_COST * each.cost) - 1] - each.promise for each in students}
