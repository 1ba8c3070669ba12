"""Labels for some of the training images: which ones keep theirs, and what a reader should know about it."""

from __future__ import annotations

import numpy as np

from autokd.data.dataset import Labels
from autokd.records import Task

LABEL_SEED = 20_240_102  # a constant: the same share of the same data is always the same images
LEAST = 2  # labels that every class keeps, where it has so many


def labelled_share(indices: Labels, labels: Labels, share: float) -> Labels:
    """Those of `indices` that keep their label: `share` of every class, sorted; a smaller share is a part of a larger.

    share: above 0, up to 1. Classes that have them keep at least two, so that the smallest share still knows them all.
    """
    kept = []
    for label in np.unique(labels[indices]):
        own = np.random.default_rng([LABEL_SEED, int(label)]).permutation(indices[labels[indices] == label])
        kept.append(own[: max(LEAST, round(share * len(own)))])
    return np.sort(np.concatenate(kept))


def label_remarks(task: Task) -> list[str]:
    """What is to be said of a task whose students do not see every label."""
    if not task.unlabelled:
        return []
    hidden = " Labels are hidden from students alone, not from the teacher." if task.unhidden_fingerprint else ""
    remark = (
        f"Students see the labels of {task.labelled:,} of {task.train:,} training images: the distill arm learns from "
        "the others through the teacher, the direct arm goes through the labelled ones again and again, in as many "
        f"steps.{hidden}"
    )
    return [remark]
