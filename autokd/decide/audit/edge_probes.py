"""Beyond the range of ratios: what distilling does for students that the search leaves out, compared with those it has.

Nothing here touches the verdict. Gains are compared with that of the finalist that has the same recipe, image by image.
"""

from __future__ import annotations

from collections.abc import Iterator

from autokd.decide.comparisons import Comparison, Student
from autokd.decide.evidence import Evidence
from autokd.decide.statistics import intervals
from autokd.records import Edge, Side


def edges(comparison: Comparison) -> tuple[Edge, ...]:
    """Every distilled student beyond the range that has a twin, the largest student first."""
    return tuple(sorted(_edges(comparison), key=lambda edge: edge.ratio))


def _edges(comparison: Comparison) -> Iterator[Edge]:
    evidence, everybody = comparison.evidence, (*comparison.students, *comparison.beyond)
    low, high = evidence.ratios
    for student in comparison.beyond:
        twin = next((s for s in everybody if student.number in s.record.twin_of), None)
        if student.record.role != "edge" or twin is None:
            continue
        side: Side = "above" if student.record.ratio > high else "below"
        inside = _same_recipe(comparison, student)
        pair, other = (student.number, twin.number), _pair(comparison, inside)
        yield Edge(
            side=side,
            limit=high if side == "above" else low,
            ratio=student.record.ratio,
            student=student.name,
            finalist=student.number,
            twin=twin.number,
            accuracy=student.accuracy,
            twin_accuracy=twin.accuracy,
            gain=_gain(evidence, pair).difference,
            inside=other[0] if other else None,
            inside_gain=_gain(evidence, other).difference if other else None,
            lead=_lead(evidence, other, pair).difference if other else None,
        )


def _same_recipe(comparison: Comparison, edge: Student) -> Student | None:
    """The finalist within the range that was proposed by the same trial."""
    own = [
        s
        for s in comparison.arm("distill")
        if s.record.trial == edge.record.trial and s.record.recipe == edge.record.recipe
    ]
    return own[0] if own else None


def _pair(comparison: Comparison, distilled: Student | None) -> tuple[int, int] | None:
    twin = comparison.twin_of(distilled) if distilled else None
    return (distilled.number, twin.number) if distilled and twin else None


def _gain(evidence: Evidence, pair: tuple[int, int]) -> intervals.Estimate:
    distilled, twin = (evidence.correct[number] for number in pair)
    return intervals.difference(distilled, twin, evidence.level)


def _lead(evidence: Evidence, inside: tuple[int, int], beyond: tuple[int, int]) -> intervals.Estimate:
    a, b, c, d = (evidence.correct[number] for number in (*inside, *beyond))
    return intervals.difference_of_differences((a, b), (c, d), evidence.level)
