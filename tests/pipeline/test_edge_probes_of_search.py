"""Which students beyond the range are probed, and what is said where there are none."""

from __future__ import annotations

from typing import Any

import pytest
from test_candidates import TEACHER, FormulaMeter, found, made_counts, names_of, true_cost

from autokd.config import SearchConfig
from autokd.pipeline.edge_probes import TRIES, affordable_first, edge_remarks, nearest_beyond
from autokd.records import Candidate, Interval, Reading
from autokd.zoo.catalogue import Count
from autokd.zoo.ratio_filter import sift

RATIOS = {"a": 0.8, "b": 1.5, "c": 4.9, "d": 3.0, "e": 4.0, "f": 5.0, "g": 20.0, "h": 21.0, "i": 90.0}
COUNTS = {name: Count(round(TEACHER / ratio), 10**6, 10**5, 50, "family") for name, ratio in RATIOS.items()}


def config(**changes: Any) -> SearchConfig:
    return SearchConfig.of(**{"teacher": "resnet152", "max_cost": 1.0, "probe_edges": True, **changes})


def nearest(lacking: tuple[str, ...] = (), **changes: Any) -> dict[str, list[str]]:
    arms, _ = sift(COUNTS, TEACHER, 5.0, 20.0)
    lacks = dict.fromkeys(lacking, "there are none")
    return dict(nearest_beyond(COUNTS, arms, TEACHER, config(**changes), lacks.get))


def reading(cost: float) -> Reading:
    interval = Interval(mean=cost, low=cost, high=cost)
    return Reading(
        model="m", capacity_rps=1.0, latency_ms=None, cost_usd_per_1k=interval, noisy=False, batch_size=1, rounds=1
    )


def test_the_nearest_of_each_side_come_first_and_none_is_larger_than_the_teacher() -> None:
    assert nearest() == {"below": ["c", "e", "d"], "above": ["h", "i"]}
    assert len(nearest()["below"]) == TRIES
    assert nearest(probe_edges=False) == {}


def test_students_without_the_weights_that_are_asked_for_are_no_edges() -> None:
    assert nearest(("c", "h"), student_weights="pretrained") == {"below": ["e", "d", "b"], "above": ["i"]}
    assert nearest(("c", "h"))["above"] == ["h", "i"]


def test_the_nearest_within_the_budget_is_taken_else_the_nearest_that_serves() -> None:
    costs = {"near": reading(3.0), "middle": reading(2.0), "far": reading(1.0)}
    names = ["unread", "near", "middle", "far"]
    assert affordable_first(names, costs, 2.5) == "middle"
    assert affordable_first(names, costs, 0.5) == "near"
    assert affordable_first(names, {**costs, "near": reading(float("inf"))}, 0.5) == "middle"
    assert affordable_first(["unread"], costs, 9.0) is None


def candidate(ratio: float) -> Candidate:
    return Candidate(student="s", family="f", parameters=1, ratio=ratio, macs=1, arms=(), reading=reading(1.0))


def test_what_is_missing_is_said() -> None:
    both = [candidate(4.9), candidate(21.0)]
    assert edge_remarks(config(), both, distilled=True) == []
    assert edge_remarks(config(probe_edges=False), [], distilled=False) == []
    (above,) = edge_remarks(config(), both[:1], distilled=True)
    assert "more than 20 times smaller than the teacher could be had" in above
    (below,) = edge_remarks(config(), both[1:], distilled=True)
    assert "between 1 and 5 times smaller" in below
    assert "no distilled trial was completed" in edge_remarks(config(), both, distilled=False)[0]


@pytest.mark.parametrize(("count", "cost_model"), [(10, "measured"), (200, "measured"), (10, "params")])
def test_edges_are_measured_and_are_no_candidates(monkeypatch: pytest.MonkeyPatch, count: int, cost_model: str) -> None:
    counts = made_counts(count) | {name: COUNTS[name] for name in ("c", "e", "h", "i")}
    meter = FormulaMeter(counts)
    budget = max(true_cost(each) for each in counts.values())
    plain = found(monkeypatch, FormulaMeter(counts), budget, cost_model=cost_model)
    probed = found(monkeypatch, meter, budget, cost_model=cost_model, probe_edges=True)
    assert [edge.student for edge in probed.edges] == ["c", "h"]
    assert [edge.arms for edge in probed.edges] == [("direct",), ()]
    assert all(edge.reading == probed.readings[edge.student] for edge in probed.edges)
    assert names_of(probed) == names_of(plain)
    assert probed.left_out == plain.left_out
    assert plain.edges == ()
