"""Students just beyond each end of the ratio range: what `probe_edges` trains, to check the range on this very task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.decide.economics import within
from autokd.records import Arm, Candidate, Reading, Side

if TYPE_CHECKING:
    from autokd.zoo.catalogue import Count

TRIES = 3  # students of a side that are measured to find one within the budget


def nearest_beyond(
    counts: Mapping[str, Count],
    arms: Mapping[str, tuple[Arm, ...]],
    teacher_parameters: int,
    config: SearchConfig,
    lacks: Callable[[str], str | None],
) -> dict[Side, list[str]]:
    """A few students of each side, the one nearest to the range first; none without `probe_edges`.

    arms: those that a student may enter by its ratio. lacks: why a student cannot have the weights to start from.
    """
    if not config.probe_edges:
        return {}
    ratios = {name: teacher_parameters / count.parameters for name, count in counts.items()}
    usable = [name for name in counts if config.student_weights != "pretrained" or lacks(name) is None]
    below = [name for name in usable if "distill" not in arms.get(name, ("distill",))]
    above = [name for name in usable if ratios[name] > config.max_ratio]
    return {
        "below": sorted(below, key=lambda name: (-ratios[name], name))[:TRIES],
        "above": sorted(above, key=lambda name: (ratios[name], name))[:TRIES],
    }


def affordable_first(names: Sequence[str], readings: Mapping[str, Reading], max_cost: float) -> str | None:
    """The nearest that is within the budget, else the nearest that can serve at all; None where none could be read."""
    costs = {name: readings[name].cost_usd_per_1k.mean for name in names if name in readings}
    served = [name for name, cost in costs.items() if isfinite(cost)]
    return next((name for name in served if within(costs[name], max_cost)), served[0] if served else None)


def side_of(ratio: float, config: SearchConfig) -> Side:
    """Which end of the range a ratio outside of it lies beyond."""
    return "above" if ratio > config.max_ratio else "below"


def edge_remarks(config: SearchConfig, edges: Sequence[Candidate], distilled: bool) -> list[str]:
    """What a reader should know of edges that were asked for and are not there.

    distilled: whether a trial of the distill arm was completed, whose recipe they are trained with.
    """
    if not config.probe_edges:
        return []
    if not distilled:
        return ["The ends of the ratio range were not probed: no distilled trial was completed, so there is no recipe."]
    found = {side_of(edge.ratio, config) for edge in edges}
    limits: dict[Side, str] = {
        "below": f"between 1 and {config.min_ratio:g} times smaller than the teacher",
        "above": f"more than {config.max_ratio:g} times smaller than the teacher",
    }
    return [
        f"The end of the ratio range was not probed there: no student of the space that is {limit} could be had."
        for side, limit in limits.items()
        if side not in found
    ]
