"""The gain by the teacher's entropy: soft labels have most to say where two classes are likely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autokd.decide.explain import wording as say
from autokd.decide.statistics import intervals
from autokd.decide.statistics.significance import ERROR, holm
from autokd.metrics import Correct
from autokd.records import Ambiguity, EntropyQuarter, FinalistRecord

QUARTERS = 4
_ORDINALS = ("first", "second", "third", "fourth")


def by_entropy(
    distilled: FinalistRecord,
    twin: FinalistRecord,
    correct: Correct,
    twin_correct: Correct,
    teacher: Correct,
    entropy: NDArray[np.float64],
) -> Ambiguity | None:
    """The gain in four quarters of the test images; None with fewer than two images a quarter.

    `correct` and `twin_correct` are [seeds, images], `teacher` and `entropy` (nats) are [images]. Images of the same
    entropy are taken in their order.
    """
    if len(entropy) < 2 * QUARTERS:
        return None
    parts = np.array_split(np.argsort(entropy, kind="stable"), QUARTERS)
    estimates = [intervals.difference(correct[:, part], twin_correct[:, part]) for part in parts]
    adjusted = holm([estimate.p_value for estimate in estimates])
    quarters = tuple(
        EntropyQuarter(
            low=float(entropy[part].min()),
            high=float(entropy[part].max()),
            images=len(part),
            teacher_accuracy=float(teacher[part].mean()),
            accuracy=float(correct[:, part].mean()),
            twin_accuracy=float(twin_correct[:, part].mean()),
            gain=estimate.difference,
            p=float(p),
        )
        for part, estimate, p in zip(parts, estimates, adjusted, strict=True)
    )
    return Ambiguity(distilled=distilled.number, twin=twin.number, quarters=quarters, seen=_seen(quarters))


def _seen(quarters: Sequence[EntropyQuarter]) -> str:
    *surer, least = quarters
    lowest, highest = (f"{end(q.gain.mean for q in surer) * 100:+.2f}" for end in (min, max))
    others = lowest if lowest == highest else f"{lowest} to {highest}"
    return (
        f"Where the teacher is least sure, distilling changes the accuracy by {say.points(least.gain.mean)} "
        f"({say.points_range(least.gain)}), in the other quarters by {others} points; "
        f"corrected for four tests, {_shown(quarters)}."
    )


def _shown(quarters: Sequence[EntropyQuarter]) -> str:
    """In which quarters a difference is shown; ordinals from the surest quarter on."""
    shown = [(i, q.gain.mean > 0) for i, q in enumerate(quarters) if q.p < ERROR]
    phrases = [
        f"{word} is shown in the {say.listed([_ORDINALS[i] for i, sign in shown if sign is up])} quarter"
        for word, up in (("a gain", True), ("a loss", False))
        if any(sign is up for _, sign in shown)
    ]
    return " and ".join(phrases) or "no quarter shows a difference"
