"""Which candidates start from which weights, and what the report says of it. Nothing here loads torch by itself."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.errors import ConfigError, RunError
from autokd.formatting import file_size
from autokd.naming import named, set_to
from autokd.progress import Listener
from autokd.records import Candidate, LeftOut, Task

if TYPE_CHECKING:
    from autokd.cache.locks import Hold
    from autokd.weights.start import Supply


def without_weights(students: Collection[str], supply: Supply) -> dict[str, str]:
    """Students that `student_weights="pretrained"` leaves out, with the reason; before any is measured or fetched.

    Raises ConfigError where that would be all of them.
    """
    if supply.asked != "pretrained":
        return {}
    lacking = {student: why for student in students if (why := supply.lacks(student)) is not None}
    if students and len(lacking) == len(students):
        first, why = next(iter(lacking.items()))
        raise ConfigError(
            f"{set_to('student_weights', 'pretrained')} leaves no student (first: {first}, {why}); "
            "use auto or scratch, or give a folder of weights"
        )
    return {student: f"{set_to('student_weights', 'pretrained')}, but {why}" for student, why in lacking.items()}


def give_weights(
    candidates: Sequence[Candidate],
    supply: Supply,
    task: Task,
    cache_dir: Path,
    listener: Listener,
    hold: Hold | None = None,
) -> tuple[list[Candidate], list[LeftOut]]:
    """Candidates with the weights that they start from, and those left out because there are none."""
    from autokd.weights.published import published
    from autokd.weights.start import UnavailableError

    given, left_out = [], []
    lacking = {candidate.student: supply.lacks(candidate.student) for candidate in candidates}
    size = sum(4 * candidate.parameters for candidate in candidates if lacking[candidate.student] is None)
    if size:
        listener.note(f"The weights that students start from are put into the cache, about {file_size(size)}.")
    for number, candidate in enumerate(candidates, 1):
        student, weights, known = candidate.student, None, published(candidate.student)
        why = lacking[student] or supply.lacks(student)
        if why is None:
            listener.advance("preparing students' weights", number, len(candidates), None)
            try:
                weights = supply.fetch(student, task, cache_dir, hold, listener)
            except UnavailableError as error:
                why = str(error)
                listener.note(f"{student} does not start from its weights: {why}.")
        if weights is None and supply.asked == "pretrained":
            left_out.append(
                LeftOut(
                    student=student,
                    parameters=candidate.parameters,
                    ratio=candidate.ratio,
                    reason=f"{set_to('student_weights', 'pretrained')}, but {why}",
                    cost_usd_per_1k=candidate.reading.cost_usd_per_1k.mean,
                )
            )
            continue
        given.append(candidate.model_copy(update={"weights": weights, "published": known.tag if known else None}))
    return given, left_out


def check_weights_again(
    candidates: Sequence[Candidate],
    supply: Supply,
    task: Task,
    cache_dir: Path,
    hold: Hold | None = None,
    listener: Listener | None = None,
) -> None:
    """Before a run goes on: its students' weights have to be those that it was started with; raises RunError."""
    for candidate in candidates:
        weights = candidate.weights
        if weights is not None and not supply.again(candidate.student, weights, task, cache_dir, hold, listener):
            raise RunError(
                f"the weights that {candidate.student} started from ({weights.label}) cannot be had again as they "
                f"were; bring them back, or start again with another {named('output')}"
            )


# ---- what the report says --------------------------------------------------------------------------------------


def start_remark(candidates: Sequence[Candidate], asked: str) -> str:
    """What a reader should know of the weights that students started from."""
    total = len(candidates)
    started = sum(1 for candidate in candidates if candidate.weights is not None)
    missed = sum(1 for candidate in candidates if candidate.weights is None and candidate.published is not None)
    whose = "published" if asked in ("auto", "pretrained") else "given"
    if asked == "scratch":
        return f"Students start from random weights, as asked ({set_to('student_weights', asked)}). {_MEANING}"
    if started == total:
        return f"All {total} students start from {whose} weights, in both arms."
    if not started and not missed:
        return f"All {total} students start from random weights: timm publishes none for them."
    if not started:
        why = "could not be had" if asked == "auto" else f"{asked} does not hold"
        return (
            f"All {total} students start from random weights although timm publishes weights of {missed} of them, "
            f"which {why}. {_MEANING}"
        )
    first = next(candidate.student for candidate in candidates if candidate.weights is None)
    return (
        f"{started} of {total} students start from {whose} weights, in both arms, the others (first: {first}) "
        "from random ones. A student and its twin start from the same weights, so the gain is not "
        "affected; between students, weights are an advantage for those that have them."
    )


_MEANING = (
    "On small data both arms are then less accurate than they could be, and published weights often help direct "
    "training more than a teacher does: the verdict holds for training from scratch only."
)
