"""Which arms a student may enter, by its compression ratio alone.

Distilling works best between 5 and 20 times: below, the smaller model is trained
directly, and above, the gap is too large to bridge. The direct arm may take every student from the
teacher's size down.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autokd.records import Arm, LeftOut
from autokd.zoo.catalogue import Count, entry_of
from autokd.zoo.student_name import parse

# Position embeddings and token mixers are parameters too. At a smaller image size than its own no model of timm has
# fewer than 0.79 of its parameters; at a much larger one a gMLP has several times as many.
SHRINKS, GROWS = 0.7, 4.0


def sift(
    counts: Mapping[str, Count],
    teacher_parameters: int,
    min_ratio: float,
    max_ratio: float,
    teacher: str | None = None,
) -> tuple[dict[str, tuple[Arm, ...]], tuple[LeftOut, ...]]:
    """Arms by student, and what was refused with the reason.

    A student too large for distilling is in both: it may enter the direct arm. `teacher` is the teacher's
    name, which is never its own student, whatever weights the names ask for.
    """
    arms: dict[str, tuple[Arm, ...]] = {}
    left_out: list[LeftOut] = []
    for name, count in counts.items():
        ratio = teacher_parameters / count.parameters
        own = teacher is not None and parse(name).is_plain and _architecture(name) == _architecture(teacher)
        allowed = () if own else arms_at(ratio, min_ratio, max_ratio)
        if allowed:
            arms[name] = allowed
        if "distill" not in allowed:
            why = "it is the teacher itself" if own else refusal(ratio, min_ratio, max_ratio)
            left_out.append(LeftOut(student=name, parameters=count.parameters, ratio=ratio, reason=why))
    return arms, tuple(left_out)


def out_of_range(
    names: Iterable[str], classes: int, image_size: int, teacher_parameters: int, max_ratio: float
) -> dict[str, LeftOut]:
    """Students that need not be counted at an image size that the catalogue has not tried: no arm would take them.

    Parameters of a model that is built for an image size are known at the sizes that were tried; it is left out where
    those at its own are so far outside the range that another size would not bring it in.
    """
    found: dict[str, LeftOut] = {}
    for name in names:
        entry = entry_of(name)
        if entry is None or image_size in entry.sizes:
            continue
        exact, own = entry.parameters(classes, image_size), entry.body + classes * entry.per_class[0]
        ratio = teacher_parameters / (exact or own)
        lowest, highest = (1.0, max_ratio) if exact else (SHRINKS, max_ratio * GROWS)
        if not lowest <= ratio <= highest:
            why = (
                refusal(ratio, 1, max_ratio)
                if exact
                else f"at its own {entry.native} px {refusal(ratio, 1, max_ratio)}"
            )
            found[name] = LeftOut(student=name, parameters=exact or own, ratio=ratio, reason=why)
    return found


def arms_at(ratio: float, min_ratio: float, max_ratio: float) -> tuple[Arm, ...]:
    """Both arms from `min_ratio` to `max_ratio`, the direct one alone from 1 up; ends included."""
    if min_ratio <= ratio <= max_ratio:
        return ("distill", "direct")
    if 1 <= ratio <= max_ratio:
        return ("direct",)
    return ()


def refusal(ratio: float, min_ratio: float, max_ratio: float) -> str:
    """Why a student of this ratio is not distilled, in one sentence with numbers."""
    if ratio > max_ratio:
        return f"{ratio:.1f}x smaller than the teacher: above {max_ratio:g}x the gap is too large to bridge"
    if ratio >= 1:
        return (
            f"only {_below(ratio, min_ratio)}x smaller than the teacher: below {min_ratio:g}x "
            "the smaller model is trained directly, without distilling"
        )
    return f"{1 / ratio:.1f}x larger than the teacher: a student may not be larger"


def _below(ratio: float, limit: float) -> str:
    """The ratio with as many digits as it takes to show that it is below the limit."""
    return next(text for digits in range(1, 18) if float(text := f"{ratio:.{digits}f}") < limit)


def _architecture(name: str) -> str:
    return name.partition(".")[0]
