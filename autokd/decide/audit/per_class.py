"""A student compared with the teacher class by class: which classes would lose by the change.

The tests are about the very model that would be shipped, the seed that is best on validation: one pair of models, so
that McNemar's test is exact. Flips are also given as means over seeds, which say whether another training would lose
the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.decide.statistics.intervals import wilson
from autokd.decide.statistics.significance import ERROR, holm, mcnemar
from autokd.metrics import Correct
from autokd.records import ClassAudit, ClassRow, FinalistRecord, Interval, Subject

Labels = NDArray[np.int64]
Counts = NDArray[np.int64]


def by_class(
    subject: Subject,
    finalist: FinalistRecord,
    correct: Correct,
    teacher: Correct,
    labels: Labels,
    names: Sequence[str],
) -> ClassAudit:
    """Every class of one student; `correct` is [seeds, images], `teacher` and `labels` are [images].

    Classes without test images have no recall and take no part in Holm's correction.
    """

    def count(of: NDArray[np.bool_]) -> Counts:
        return np.bincount(labels[of], minlength=len(names))

    shipped = correct[finalist.seeds.index(finalist.shipped)]
    images = np.bincount(labels, minlength=len(names))
    right, lost, won = count(shipped), count(teacher & ~shipped), count(shipped & ~teacher)
    mean_lost = np.mean([count(teacher & ~seed) for seed in correct], axis=0)
    mean_won = np.mean([count(seed & ~teacher) for seed in correct], axis=0)
    p = np.full(len(names), np.nan)
    p[images > 0] = holm(mcnemar(lost, won)[images > 0])
    teacher_right = count(teacher)
    rows = tuple(
        ClassRow(
            name=name,
            images=int(images[i]),
            teacher_recall=float(teacher_right[i] / images[i]) if images[i] else None,
            recall=_recall(int(right[i]), int(images[i])) if images[i] else None,
            negative_flips=int(lost[i]),
            positive_flips=int(won[i]),
            mean_negative_flips=float(mean_lost[i]),
            mean_positive_flips=float(mean_won[i]),
            p=float(p[i]) if images[i] else None,
        )
        for i, name in enumerate(names)
    )
    return ClassAudit(
        subject=subject,
        student=finalist.student,
        finalist=finalist.number,
        seed=finalist.shipped.seed,
        worse=tuple(row.name for row in rows if _shown(row) and row.negative_flips > row.positive_flips),
        better=tuple(row.name for row in rows if _shown(row) and row.negative_flips < row.positive_flips),
        lowest=_lowest(rows),
        rows=rows,
    )


def _recall(right: int, images: int) -> Interval:
    low, high = wilson(right / images, images)
    return Interval(mean=right / images, low=low, high=high)


def _shown(row: ClassRow) -> bool:
    return row.p is not None and row.p < ERROR


def _lowest(rows: Sequence[ClassRow]) -> str | None:
    """The class with the lowest recall; of several, the one with the most images."""
    known = [(row.recall.mean, -row.images, i) for i, row in enumerate(rows) if row.recall]
    return rows[min(known)[2]].name if known else None
