"""What a space fixes and tries first, as the ledger proposes it."""

from __future__ import annotations

from pathlib import Path

from autokd.records import Candidate, Interval, Proposal, Reading
from autokd.tune.space.space import Space
from autokd.tune.study import Ledger, SearchPlan

PLAN = SearchPlan(trials=16, epochs=6, batch_size=32, classes=10, seed=0)


def candidate(name: str, parameters: int) -> Candidate:
    cost = Interval(mean=0.001, low=0.001, high=0.001)
    reading = Reading(
        model=name, capacity_rps=100, latency_ms=None, cost_usd_per_1k=cost, noisy=False, batch_size=8, rounds=3
    )
    both = ("distill", "direct")
    return Candidate(student=name, family="f", parameters=parameters, ratio=10.0, macs=5, arms=both, reading=reading)


CANDIDATES = [candidate("a", 10), candidate("b", 20), candidate("c", 30)]


def proposals_of(ledger: Ledger) -> list[Proposal]:
    found = []
    while proposal := ledger.next():
        found.append(proposal)
        ledger.finish(proposal.number, proposal.number * 7 % 11 / 11)
    return found


def test_fixed_values_are_used_and_not_searched(tmp_path: Path) -> None:
    fixed = {"learning_rate": 0.002, "weight_decay": 0.01, "mixup": 0.2}
    space = Space.model_validate(
        {
            "students": {"include": ["a"]},
            "recipe": {"distill": {**fixed, "temperature": 3, "alpha": 0.8}, "direct": fixed},
        }
    )
    ledger = Ledger(tmp_path / "study.db", space, CANDIDATES, PLAN)
    for proposal in proposals_of(ledger):
        recipe = proposal.recipe
        assert (recipe.learning_rate, recipe.weight_decay, recipe.mixup) == (0.002, 0.01, 0.2)
        assert (recipe.temperature, recipe.alpha) == ((3, 0.8) if proposal.arm == "distill" else (1, 0))
    tried = [(record.arm, record.student) for record in ledger.records()]
    assert len(tried) == len(set(tried)) == sum(len(candidate.arms) for candidate in CANDIDATES)
    assert ledger.planned("direct") == sum("direct" in candidate.arms for candidate in CANDIDATES)
    searched = {"learning_rate", "weight_decay", "mixup", "temperature", "alpha"}
    assert all(shares and not searched & shares.keys() for shares in ledger.importance().values())


def test_each_arm_tries_its_own_first_proposals(tmp_path: Path) -> None:
    space = Space.model_validate(
        {
            "students": {"include": ["a"]},
            "first": [
                {"student": "c", "alpha": 0.9},
                {"student": "far too expensive", "alpha": 0.7},
                {"arm": "direct", "student": "b", "learning_rate": 0.002},
                {"temperature": 2},
            ],
        }
    )
    ledger = Ledger(tmp_path / "study.db", space, CANDIDATES, PLAN)
    assert ledger.remarks() == [
        "The first proposal of far too expensive is left out: it is not a candidate of the distill arm."
    ]
    proposals = proposals_of(ledger)
    distill = [p for p in proposals if p.arm == "distill"]
    direct = [p for p in proposals if p.arm == "direct"]
    assert (distill[0].student, distill[0].recipe.alpha) == ("c", 0.9)
    assert distill[1].recipe.temperature == 2
    assert (direct[0].student, direct[0].recipe.learning_rate) == ("b", 0.002)
