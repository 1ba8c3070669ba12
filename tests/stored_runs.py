"""Fourteen stored runs, and a grid of conditions for each: where page and `autokd decide` have to say the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from made_evidence import direct, distilled, made_evidence, published, twin, with_form, with_student_form
from written_run import IMAGES, written

from autokd.cost.repricing import changed_model
from autokd.decide import Evidence, decide, read_evidence
from autokd.decide.comparisons import Comparison, Offer
from autokd.decide.policy import Judgement, judge
from autokd.decide.what_if import under, under_conditions
from autokd.records import Policy, PriceRange, Reading
from autokd.report import assemble, write_reports
from autokd.runs.folder import Run

POINTS = 2_000  # of all grids together, or more
T = TypeVar("T", bound=Offer)


def stored_runs(folder: Path) -> list[tuple[Run, Evidence]]:
    """Runs with their pages, and their evidence."""
    found = []
    for k, (evidence, settings) in enumerate(stored_evidence()):
        run = written(folder / f"run-{k}", evidence, **settings)
        stored, policy = read_evidence(run), run.settings.policy()
        write_reports(run, assemble(run, decide(stored, policy), policy))
        found.append((run, stored))
    return found


def stored_evidence() -> Iterator[tuple[Evidence, dict[str, Any]]]:
    """Fourteen different ones, each with the settings of its search."""
    pair = (distilled(accuracy=0.94, cost=0.0004), twin(accuracy=0.86, cost=0.0004))
    wide: dict[str, Any] = {"max_cost": 0.01, "min_retention": 0.7}
    halved = direct(accuracy=0.93, cost=0.0012, spread=0.1, student="half_net")  # nearly half of the teacher's cost
    yield borrowing(made(*pair, halved)), {"max_cost": 0.01}
    yield made(*pair, direct(accuracy=0.80, cost=0.0009, val=0.97)), wide  # gives way to its arm's next
    volume = {"requests_per_month": 5e6}
    yield priced(made(*pair, direct(accuracy=0.95, cost=0.0011)), volume), {"max_cost": 0.01, **volume}
    near = (direct(accuracy=0.92, cost=0.00041), direct(6, accuracy=0.90, cost=0.0004, student="near_net"))
    yield (
        made(*near, distilled(accuracy=0.93, cost=0.0004), twin(accuracy=0.91, cost=0.0004)),
        {**wide, "prefer": "savings"},
    )
    single = (distilled(accuracy=0.94, seeds=1), twin(accuracy=0.80, seeds=1))
    yield made(*single, twin_less(5)), wide
    known = published(accuracy=0.93, cost=0.0001)
    yield made(direct(accuracy=0.96, cost=0.002), known, test_is_separate=False), {"adoption_usd": 100.0}
    failed = made(*pair, direct(accuracy=0.92), notes=("Two trials failed.",))
    yield with_form(failed, "int8", 0.0009, lost=0.01), {"min_retention": 0.9}
    yield replace(made(*pair, direct(accuracy=0.92, p95=30.0)), drift=1.2), {"max_latency_ms": 10.0}
    per_use = {"price_per_second": 2e-5, "billing_increment_ms": 1.0, "billing_minimum_ms": 2.0}
    yield priced(made(*pair, direct(accuracy=0.92)), per_use), {**wide, **per_use}
    own = {"teacher_price_per_hour": 4.0}
    rivals = (direct(accuracy=0.94, cost=0.0009), direct(7, accuracy=0.93, val=0.9, cost=0.0001, student="third_net"))
    limits = {**wide, "max_negative_flips": 0.12, "min_class_recall": 0.85, "min_gain": 0.06}
    yield borrowing(priced(made(*pair, *rivals), own)), {**limits, **own}
    yield by_parameters(made(*pair, direct(accuracy=0.93, cost=0.0009, student="third_net"))), {"max_cost": 0.001}
    behind = (distilled(accuracy=0.86, cost=0.0001), twin(accuracy=0.7, cost=0.0001))
    both = made(*pair, direct(accuracy=0.93, cost=0.0012, student="half_net"))
    int8 = with_form(both, "int8", 0.0011)
    yield with_student_form(with_student_form(int8, 2, 0.0002, lost=0.002), 1, 0.0003), {"max_cost": 0.01}
    other = with_student_form(with_student_form(int8, 2, 0.0003, "bf16", lost=0.05), 1, 0.00005, lost=0.02)
    yield with_student_form(other, 2, 0.0002, lost=0.01), {**wide, "prefer": "savings"}
    yield made(*behind, direct(accuracy=0.94, cost=0.0009, student="third_net")), {**wide, "max_negative_flips": 0.15}


def made(*finalists: Any, **more: Any) -> Evidence:
    return made_evidence(*finalists, images=IMAGES, usd=30.0, **more)


def borrowing(evidence: Evidence) -> Evidence:
    """At the prices of other machines than were measured."""
    update = {"price_origin": "borrowed", "price_range": PriceRange(low=0.9, high=5.0)}
    model = evidence.cost_model
    if model.teacher_price:
        update = {"teacher_price": model.teacher_price.model_copy(update=update)}
    return replace(evidence, cost_model=model.model_copy(update=update))


def by_parameters(evidence: Evidence) -> Evidence:
    """Without any speed."""
    bare = {"capacity_rps": None, "capacity_interval": None, "alone_seconds": None, "latency_ms": None}
    return replace(
        evidence,
        cost_model=evidence.cost_model.model_copy(update={"model": "params"}),
        teacher_reading=evidence.teacher_reading.model_copy(update=bare),
        finalists=tuple(
            f.model_copy(update={"reading": f.reading.model_copy(update=bare)}) for f in evidence.finalists
        ),
    )


def twin_less(number: int) -> Any:
    return distilled(number, accuracy=0.95, cost=0.0002, student="other_net")


def priced(evidence: Evidence, given: dict[str, Any]) -> Evidence:
    return under(evidence, changed_model(evidence.cost_model, given))


def grid(base: Evidence) -> list[dict[str, Any]]:
    """Settings that `autokd decide` takes, spread evenly over all combinations."""
    volumes = (None, 3e4, 2e6, 2e8, 5.464e8, 1e9)  # the last but one: hardly more than two replicas of the teacher
    measured = base.cost_model.model == "measured"
    prices: tuple[dict[str, float], ...] = (
        {}, {"price_per_hour": 0.2}, {"price_per_hour": 6.0}, {"price_per_second": 2e-5}
    ) if measured else ({}, {"price_per_billion": 0.02}, {"price_per_billion": 0.3})  # fmt: skip
    limits = itertools.product((None, 0.0002, 0.0008, 0.02), (None, 0.9, 0.97, 1.0), (None, "accuracy", "savings"))
    every = itertools.product(volumes, prices, limits, (None, 0.1, 0.9))
    found = []
    for volume, price, (budget, keep, prefer), busy in every:
        given = {"requests_per_month": volume, "max_cost": budget, "min_retention": keep, "prefer": prefer, **price}
        by_use = (
            not measured
            or "price_per_second" in price
            or (base.cost_model.pay_per_use and "price_per_hour" not in price)
        )
        known = volume or base.cost_model.requests_per_month
        given["target_utilization" if known else "utilization"] = None if by_use else busy
        found.append({name: value for name, value in given.items() if value is not None})
    return found[:: len(found) // 230]


def conditions(run: Run, stored: Evidence, given: dict[str, Any]) -> tuple[Evidence, Policy]:
    """What `autokd decide` looks at."""
    policy = run.settings.changed(given).policy()
    return under_conditions(run, stored, given, policy), policy


def at(base: Comparison, run: Run, stored: Evidence, given: dict[str, Any]) -> Judgement:
    """The policy's answer, its statistics computed once: they do not depend on what is asked."""
    evidence, policy = conditions(run, stored, given)
    readings = {finalist.number: finalist.reading for finalist in evidence.finalists}
    teachers = (evidence.teacher_reading, *(form.reading for form in evidence.teacher_forms))
    forms = tuple(read(form, reading) for form, reading in zip(base.forms, teachers, strict=True))
    students = tuple(read(student, readings[student.number]) for student in base.students)
    return judge(replace(base, evidence=evidence, teacher=forms[0], forms=forms, students=students), policy)


def read(option: T, reading: Reading) -> T:
    return replace(option, reading=reading, cost=reading.cost_usd_per_1k)
