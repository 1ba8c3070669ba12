"""The losses of distilling: the one place where their names meet their formulas and the parameters they read.

A loss has a row here, a function of the same name in training/losses.py, and its name in the type `Loss`.
"""

from __future__ import annotations

from typing import NamedTuple

from autokd.records.base import Loss


class About(NamedTuple):
    """One way to measure how far the student is from the teacher."""

    formula: str
    reads: tuple[str, ...]  # parameters of a recipe that other losses may leave unread


LOSSES: dict[Loss, About] = {
    "kl": About("T^2 * KL(teacher_T || student_T)", ("temperature",)),
    "kl_zscore": About("kl of logits that were standardised image by image", ("temperature",)),
    "dist": About(
        "(1 - r over classes) + (1 - r over images), r being the correlation of teacher_T and student_T",
        ("temperature",),
    ),
    "dkd": About(
        "T^2 * (TCKD + beta * NCKD), which treats the label's class apart from the others", ("temperature", "beta")
    ),
    "hard": About("CE(student, the teacher's answer)", ()),
}

FORMULA = (
    "loss = (1 - alpha) * CE(student, label) + alpha * D. alpha weighs the teacher; alpha = 0 is the direct arm. "
    "D depends on the recipe's loss: "
    + "; ".join(f"{name} is {about.formula}" for name, about in LOSSES.items())
    + ". teacher_T and student_T are the softmax of the logits divided by T. KL is summed over classes and averaged "
    "over the batch"
)


OVER_CLASSES: frozenset[Loss] = frozenset({"kl_zscore", "dist"})  # compare logits over classes by their correlation
MOST_ALPHA: dict[Loss, float] = {"dist": 0.9}  # a correlation does not see that all answers of a class are shifted


def unread(loss: Loss) -> set[str]:
    """Parameters that some losses read, but not this one."""
    return {name for about in LOSSES.values() for name in about.reads} - set(LOSSES[loss].reads)


WITHOUT_LABEL = (
    ". An image without a label has the teacher's term alone, at weight 1; in dkd the teacher's answer stands in for "
    "its label"
)
