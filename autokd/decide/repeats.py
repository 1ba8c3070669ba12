"""Repeatability: how often a repeat of the confirmation would end in the same verdict.

A repeat trains the same finalists from other seeds, tests them on other images and reads the costs again. What is known
of the truth is itself one such reading, so a repeat is expected to differ from it by twice the variance (the predictive
distribution under a flat prior). Drawn jointly, because finalists share test images and models share costs:

- by image: the accuracies of teacher and finalists move together as their covariance over test images says;
- by seed: each finalist moves by what a seed does to it as a whole, on validation as on test;
- the cost of each model moves within its interval, and is the same for all finalists of that model;
- all costs move together as far as the machine's speed has drifted over the run.

Widths of intervals stay as they are. The policy is asked about every draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite, log, sqrt

import numpy as np
from numpy.typing import NDArray

from autokd.decide.comparisons import Comparison, Offer, Student
from autokd.decide.policy import judge
from autokd.decide.statistics.intervals import Estimate, z_squared
from autokd.decide.statistics.seed_variance import image_spread
from autokd.metrics import Correct
from autokd.records import Interval, Policy, SeededInterval, Verdict

Floats = NDArray[np.float64]
DRAWS = 400
SEED = 0  # of the draws: the same evidence has the same repeatability every time
DIGITS = 6  # of a draw behind the point: the page has the same draws, and they are to be short there
PREDICTIVE = 2.0  # variances: of what is known, and of the repeat


class _Moved(Mapping[tuple[int, int], Estimate]):
    """The differences between finalists after each has moved; made when they are asked for."""

    def __init__(self, known: Mapping[tuple[int, int], Estimate], moves: Mapping[int, float]) -> None:
        self._known, self._moves = known, moves

    def __getitem__(self, pair: tuple[int, int]) -> Estimate:
        estimate = self._known[pair]
        return replace(estimate, mean=estimate.mean + self._moves[pair[0]] - self._moves[pair[1]])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(frozen=True, eq=False)
class Moves:
    """How far everything moves in each repeat, whatever the conditions are; students and models in the order given."""

    tests: Floats  # [draws, 1 + students]: test accuracies, the teacher's first
    vals: Floats  # [draws, students]: validation accuracies
    costs: Floats  # [draws, models]: standard deviations of a reading
    drift: Floats  # [draws]: logarithm of what all costs move by together
    recalls: Floats  # [draws, students]: standard deviations of a recall
    models: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Repeats:
    """Repeats of the confirmation that a comparison comes from; with `costs` false, costs stay as they were read."""

    comparison: Comparison
    costs: bool = True

    def repeatability(self, policy: Policy, verdict: Verdict, draws: int = DRAWS) -> float:
        """The share of repeats that end in this verdict."""
        verdicts = [judge(drawn, policy).verdict for drawn in self._drawn(policy, draws)]
        return verdicts.count(verdict) / draws

    def moves(self, draws: int = DRAWS) -> Moves:
        """What the repeats draw."""
        comparison, rng = self.comparison, np.random.default_rng(SEED)
        models = tuple(sorted({offer.name for offer in (*comparison.forms, *comparison.students)}))
        tests, vals = self._accuracies(rng, draws)
        costs = rng.normal(size=(draws, len(models))) * sqrt(PREDICTIVE)
        recalls = rng.normal(0.0, sqrt(PREDICTIVE), (draws, len(comparison.students)))
        drift = rng.normal(size=draws) * abs(log(comparison.evidence.drift))
        tests, vals, costs, drift, recalls = (np.round(x, DIGITS) for x in (tests, vals, costs, drift, recalls))
        return Moves(tests, vals, costs, drift, recalls, models)

    def _drawn(self, policy: Policy, draws: int) -> Iterator[Comparison]:
        comparison, moved_by = self.comparison, self.moves(draws)
        students, tests, vals, recalls = comparison.students, moved_by.tests, moved_by.vals, moved_by.recalls
        costs = self._costs(moved_by)
        base = comparison.teacher_accuracy.mean
        for draw in range(draws):
            moves, teacher_move = tests[draw, 1:], float(tests[draw, 0])
            factor = costs[draw]
            moved = tuple(
                replace(
                    student,
                    cost=_times(student.cost, factor[student.name]),
                    retention=_moved_retention(student, float(move), teacher_move, base),
                    val_accuracy=student.val_accuracy + float(val),
                    flips=_moved_flips(student, policy, teacher_move - float(move)),
                    recall_move=_recall_move(student, policy, float(recall)),
                )
                for student, move, val, recall in zip(students, moves, vals[draw], recalls[draw], strict=True)
            )
            numbers = [student.number for student in students]
            yield replace(
                comparison,
                forms=tuple(replace(form, cost=_times(form.cost, factor[form.name])) for form in comparison.forms),
                students=moved,
                differences=_Moved(comparison.differences, dict(zip(numbers, map(float, moves), strict=True))),
            )

    # ---- accuracies ------------------------------------------------------------------------------------------

    def _accuracies(self, rng: np.random.Generator, draws: int) -> tuple[Floats, Floats]:
        """How far test accuracies move, [draws, 1 + students], the teacher's first; then those on validation."""
        students = self.comparison.students
        by_image = rng.normal(size=(draws, 1 + len(students))) @ self._image_root.T
        whole, interaction = self._seed_variances
        by_seed = rng.normal(size=(draws, len(students))) * np.sqrt(PREDICTIVE * whole)
        on_val = rng.normal(size=(draws, len(students))) * np.sqrt(PREDICTIVE * interaction)
        by_image[:, 1:] += by_seed
        return by_image, by_seed + on_val

    @cached_property
    def _image_root(self) -> Floats:
        """A root of the covariance of accuracies over test images."""
        comparison, evidence = self.comparison, self.comparison.evidence
        rows = [evidence.teacher_correct, *(evidence.correct[s.number].mean(axis=0) for s in comparison.students)]
        values = np.stack([np.asarray(row, dtype=np.float32) for row in rows])
        covariance = np.atleast_2d(np.cov(values)) / values.shape[1]
        told = [student.estimate for student in comparison.students]
        images = [comparison.more_images, *(estimate.images / values.shape[1] for estimate in told)]
        scale = 1 / np.sqrt(np.asarray(images))
        covariance = covariance * scale[:, None] * scale[None, :]
        roots, vectors = np.linalg.eigh(PREDICTIVE * covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(roots, 0.0)))

    @cached_property
    def _seed_variances(self) -> tuple[Floats, Floats]:
        """Of every student's mean over its seeds: what moves it as a whole, and, on validation, image by image.

        What moves a student as a whole is taken from all of them together, as a share of p (1 - p): an estimate without
        bias is wanted here, not one that errs on the safe side.
        """
        students, val = self.comparison.students, max(1, self.comparison.evidence.task.val)
        base, correct = self.comparison.teacher_accuracy.mean, self.comparison.evidence.correct
        interaction = np.array([s.estimate.shared * base**2 for s in students])
        spreads = np.array([image_spread(s.accuracy.mean) for s in students])
        seeds = np.array([s.estimate.seeds for s in students])
        degrees = np.array([len(correct[s.number]) - 1 for s in students])
        seen = np.array([_seed_variance(correct[s.number]) for s in students])
        images = np.array([s.estimate.images for s in students])
        drawn = np.array([correct[s.number].shape[1] for s in students])  # fewer than where more are only supposed
        own = (seen - interaction * seeds * images / drawn) / spreads
        whole = max(float((degrees * own).sum()) / max(1, int(degrees.sum())), 0.0)
        trained = degrees > 0
        return whole * spreads / seeds * trained, interaction * images / val

    # ---- costs -----------------------------------------------------------------------------------------------

    def _costs(self, moves: Moves) -> list[dict[str, float]]:
        """Factors of the costs by model."""
        offers: dict[str, Offer] = {o.name: o for o in (*self.comparison.forms, *self.comparison.students)}
        spreads = np.array([relative_spread(offers[name].cost) if self.costs else 0.0 for name in moves.models])
        together = moves.drift[:, None] if self.costs else 0.0
        factors = np.exp(moves.costs * spreads + together)
        return [dict(zip(moves.models, map(float, row), strict=True)) for row in factors]


def _seed_variance(correct: Correct) -> float:
    """Of the accuracies of a finalist's seeds."""
    return float(correct.mean(axis=1).var(ddof=1)) if len(correct) > 1 else 0.0


def relative_spread(cost: Interval) -> float:
    """The standard deviation of a cost that is read again, as a share of it."""
    if not (isfinite(cost.low) and isfinite(cost.high) and cost.mean > 0):
        return 0.0
    return (cost.high - cost.low) / 2 / sqrt(z_squared(cost.level)) / cost.mean


def _times(cost: Interval, factor: float) -> Interval:
    if factor == 1.0:
        return cost
    return Interval(mean=cost.mean * factor, low=cost.low * factor, high=cost.high * factor, level=cost.level)


def _moved_retention(student: Student, move: float, teacher_move: float, base: float) -> Interval:
    old = student.retention
    by = (old.mean * base + move) / max(base + teacher_move, 1e-9) - old.mean
    return Interval(mean=old.mean + by, low=old.low + by, high=old.high + by, level=old.level)


def _moved_flips(student: Student, policy: Policy, lost: float) -> SeededInterval:
    """Negative flips where a policy asks for them; `lost`: accuracy against the teacher."""
    flips = student.flips
    if policy.max_negative_flips is None:
        return flips
    return flips.model_copy(update={"mean": flips.mean + lost, "low": flips.low + lost, "high": flips.high + lost})


def _recall_move(student: Student, policy: Policy, by: float) -> float:
    """Of the worst class where a policy asks for it; `by`: standard deviations."""
    if policy.min_class_recall is None:
        return 0.0
    worst = student.worst.recall
    return by * (worst.high - worst.low) / 2 / sqrt(z_squared(worst.level))
