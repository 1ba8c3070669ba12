"""Recall of every class over all seeds, for the limit on a student's worst class.

Only that limit asks for it, so it is computed when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autokd.decide.audit.per_class import Labels
from autokd.decide.statistics import intervals
from autokd.metrics import Correct
from autokd.records import ClassRecall, SeededInterval

FEWEST = 2  # test images: with fewer of a class nothing is shown about it


@dataclass(frozen=True, eq=False)
class Recalls:
    """One student's recalls; `correct` is [seeds, images], `labels` [images], `names` those of all classes."""

    correct: Correct
    labels: Labels
    names: Sequence[str]
    level: float

    @cached_property
    def worst(self) -> ClassRecall:
        """The class whose interval begins lowest: the one for which a limit is hardest to show; the first of equals."""
        return min(self._classes, key=lambda each: each.recall.low)

    @cached_property
    def lowest(self) -> ClassRecall:
        """The class whose interval ends lowest: a limit above that end is out of the question; the first of equals."""
        return min(self._classes, key=lambda each: each.recall.high)

    @cached_property
    def _classes(self) -> list[ClassRecall]:
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(np.bincount(self.labels, minlength=len(self.names)))[:-1]
        return [self._recall(name, rows) for name, rows in zip(self.names, np.split(order, ends), strict=True)]

    def _recall(self, name: str, rows: Labels) -> ClassRecall:
        correct = self.correct[:, rows]
        if len(rows) >= FEWEST:
            return ClassRecall(name=name, images=len(rows), recall=intervals.accuracy(correct, self.level))
        mean = float(correct.mean()) if len(rows) else 0.0
        open_ = SeededInterval(mean=mean, low=0.0, high=1.0, level=self.level, seeds=len(correct))
        return ClassRecall(name=name, images=len(rows), recall=open_)
