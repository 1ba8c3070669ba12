"""Made-up runs: the evidence that a search and a confirmation over a known front of students would leave."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from fronts import Front, searched
from simulated import Chance, Correct, Hardness, hardness, outcomes, with_own

from autokd.decide import Evidence
from autokd.records import (
    Arm,
    CostModel,
    FinalistRecord,
    Interval,
    Policy,
    Reading,
    SearchSummary,
    SeedResult,
    Task,
    Teacher,
    Transform,
)
from autokd.tune.contenders import Entrant, contenders
from autokd.tune.finalists import Finalist
from autokd.tune.seed_plan import FIRST_ROUND, MOST_SEEDS, second_round

TEACHER = "big_net"
TEACHER_ACCURACY = 0.95
TEACHER_COST = 0.0025
POLICY = Policy(max_cost=0.01)
OWN = 0.2  # share of the images whose hardness is a student's own
COST_MODEL = CostModel(
    model="params",
    price_usd_per_hour=1.0,
    price_source="made up",
    price_date="2026-01-01",
    instance="made up",
    train_price_usd_per_hour=1.0,
    device="cpu",
    image_size=32,
)


@dataclass(frozen=True)
class Searched:
    """What a search leaves for the confirmation: finalists, and how hard the validation images are for whom."""

    front: Front
    finalists: list[Finalist]
    val: Hardness
    by_student: dict[tuple[str, Arm], Hardness]  # of the validation images


def made_search(front: Front, chance: Chance, rng: np.random.Generator) -> Searched:
    """A search over a front."""
    hard = hardness(rng, front.val)
    by_student = _hardness_by_student(front, hard, rng)
    return Searched(front, searched(front, by_student, chance, rng), hard, by_student)


def made_confirmation(
    search: Searched,
    images: int,
    seeds: int,
    chance: Chance,
    rng: np.random.Generator,
    cost_spread: float = 0.0,
    rounds: bool = True,
) -> Evidence:
    """The evidence of one confirmation, with its own test images, seeds and readings of costs.

    seeds: of a finalist, on average; rounds: who cannot be picked any more after two of them leaves the others to those
    that can, as in a real run. cost_spread: relative standard deviation of a reading.
    """
    front, hard = search.front, hardness(rng, images)
    on_test = _hardness_by_student(front, hard, rng)
    both = {key: np.concatenate([val, on_test[key]]) for key, val in search.by_student.items()}
    most = max(seeds, MOST_SEEDS) if rounds else seeds
    seen = {f.proposal.number: _confirmed(front, f, both, most, chance, rng) for f in search.finalists}
    if rounds:
        seen = {number: seen[number][:count] for number, count in _counts(search, seen, seeds).items()}
    costs = {TEACHER: TEACHER_COST, **{s.name: s.cost for s in (*front.direct, *front.distill)}}
    read = {name: _reading(name, cost, cost_spread, rng) for name, cost in costs.items()}
    return Evidence(
        task=_task(front.val, images),
        teacher=_teacher(search.val < TEACHER_ACCURACY, hard < TEACHER_ACCURACY),
        teacher_reading=read[TEACHER],
        cost_model=COST_MODEL,
        finalists=tuple(_record(front, f, seen[f.proposal.number], read[f.proposal.student]) for f in search.finalists),
        labels=np.arange(images) % 2,
        teacher_correct=hard < TEACHER_ACCURACY,
        correct={number: np.ascontiguousarray(each[:, front.val :]) for number, each in seen.items()},
        search=_summary(front),
        nearest=(),
    )


def made_run(
    front: Front, images: int, seeds: int, chance: Chance, rng: np.random.Generator, rounds: bool = True
) -> Evidence:
    """The evidence of one run with so many test images and seeds."""
    return made_confirmation(made_search(front, chance, rng), images, seeds, chance, rng, rounds=rounds)


def _counts(search: Searched, seen: dict[int, Correct], seeds: int) -> dict[int, int]:
    """Seeds of every finalist after both rounds, settled on validation."""
    front, teacher_accuracy = search.front, float((search.val < TEACHER_ACCURACY).mean())
    entrants = [
        Entrant(
            number=f.proposal.number,
            arm=f.proposal.arm,
            cost=front.student(f.proposal.student).cost,
            correct=np.ascontiguousarray(seen[f.proposal.number][:FIRST_ROUND, : front.val]),
            twin_of=f.twin_of,
        )
        for f in search.finalists
    ]
    through = contenders(entrants, POLICY, TEACHER_COST, teacher_accuracy)
    plan = second_round(search.finalists, 0, seeds, [f.proposal.number for f in search.finalists], through)
    return {number: len(own) for number, own in plan.items()}


def first_seeds(evidence: Evidence, seeds: int) -> Evidence:
    """The same run before it had more than so many seeds."""
    return replace(
        evidence,
        finalists=tuple(f.model_copy(update={"seeds": f.seeds[:seeds]}) for f in evidence.finalists),
        correct={number: rows[:seeds] for number, rows in evidence.correct.items()},
    )


def _hardness_by_student(front: Front, hard: Hardness, rng: np.random.Generator) -> dict[tuple[str, Arm], Hardness]:
    """Twins find the same images hard, unless distilling moves errors."""
    found: dict[tuple[str, Arm], Hardness] = {}
    for student in dict.fromkeys((*front.direct, *front.distill)):
        own = with_own(rng, hard, OWN)
        found[student.name, "direct"] = own
        found[student.name, "distill"] = with_own(rng, own, front.moved) if front.moved else own
    return found


def _confirmed(
    front: Front,
    finalist: Finalist,
    hard: dict[tuple[str, Arm], Hardness],
    seeds: int,
    chance: Chance,
    rng: np.random.Generator,
) -> Correct:
    """Validation and test images, one after the other, by the same seeds; [seeds, images]."""
    proposal = finalist.proposal
    accuracy = front.accuracy(proposal.student, proposal.recipe)
    return outcomes(rng, accuracy, hard[proposal.student, proposal.arm], seeds, chance)


def _record(front: Front, finalist: Finalist, seen: Correct, reading: Reading) -> FinalistRecord:
    proposal = finalist.proposal
    val, test = seen[:, : front.val].mean(axis=1), seen[:, front.val :].mean(axis=1)
    return FinalistRecord(
        number=proposal.number,
        arm=proposal.arm,
        role=finalist.role,
        student=proposal.student,
        twin_of=finalist.twin_of,
        trial=finalist.trial,
        recipe=proposal.recipe,
        parameters=5_000_000,
        ratio=12.0,
        macs=100_000_000,
        reading=reading,
        seeds=tuple(
            SeedResult(seed=number, val_accuracy=float(v), test_accuracy=float(t), device_seconds=60.0, late_gain=0.0)
            for number, (v, t) in enumerate(zip(val, test, strict=True))
        ),
    )


def _reading(model: str, cost: float, spread: float, rng: np.random.Generator) -> Reading:
    read = cost * (1 + spread * rng.normal()) if spread else cost
    half = 1.96 * spread * read
    return Reading(
        model=model,
        capacity_rps=None,
        latency_ms=None,
        cost_usd_per_1k=Interval(mean=read, low=read - half, high=read + half),
        noisy=False,
        batch_size=None,
        rounds=0,
    )


def _task(val: int, test: int) -> Task:
    return Task(
        data="made up",
        fingerprint="made up",
        classes=("a", "b"),
        train=50_000,
        val=val,
        test=test,
        transform=Transform(image_size=32, crop="padded", flip=False),
        split_note="made up",
        test_is_separate=True,
    )


def _teacher(val: Correct, test: Correct) -> Teacher:
    return Teacher(
        name=TEACHER,
        weights="made up",
        fingerprint="made up",
        parameters=60_000_000,
        macs=11_000_000_000,
        val_accuracy=float(val.mean()),
        test_accuracy=float(test.mean()),
        temperature=1.0,
        seconds=0.0,
        own_weights=False,
    )


def _summary(front: Front) -> SearchSummary:
    return SearchSummary(
        trials=2 * front.trials,
        complete=2 * front.trials,
        pruned=0,
        failed=0,
        device_seconds=3600.0,
        usd=2.0,
        stages={"search": 3600.0},
        importance={},
    )
