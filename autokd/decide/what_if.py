"""The same evidence under other conditions of serving: another price, utilization, fleet or volume.

What was measured stays (capacity, latency, accuracy); what it costs is computed anew. Nothing is trained or measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from autokd.cost.dollars import capacity_for, cost_usd_per_1k, pay_per_use_usd_per_1k, seconds_for
from autokd.cost.repricing import SERVING
from autokd.decide.economics import repriced
from autokd.decide.evidence import Evidence
from autokd.naming import named, set_to
from autokd.records import CostModel, Interval, LeftOut, Note, Policy, Reading, Screening, TrialRecord
from autokd.runs.store import Costs

CONDITIONS = tuple(dict.fromkeys((*Policy.model_fields, *SERVING, "price_per_billion", "train_price_per_hour")))


def under(evidence: Evidence, model: CostModel) -> Evidence:
    """The evidence with every cost computed under another cost model."""
    old = evidence.cost_model
    if model == old:
        return evidence

    serves_alike = model.model_copy(update={"train_price_usd_per_hour": old.train_price_usd_per_hour}) == old

    def priced(reading: Reading) -> Reading:
        if serves_alike:
            return reading
        new = model.for_teacher if reading.model == evidence.teacher.name else model
        return reading.model_copy(update={"cost_usd_per_1k": repriced(reading, old, new)})

    nearest = left_out_under(evidence.nearest, evidence, model)
    search = evidence.search
    factor = model.train_price_usd_per_hour / old.train_price_usd_per_hour
    return replace(
        evidence,
        cost_model=model,
        teacher_reading=priced(evidence.teacher_reading),
        teacher_forms=tuple(f.model_copy(update={"reading": priced(f.reading)}) for f in evidence.teacher_forms),
        finalists=tuple(f.model_copy(update={"reading": priced(f.reading)}) for f in evidence.finalists),
        readings={name: priced(reading) for name, reading in evidence.readings.items()},
        nearest=tuple(left for left in nearest if left.cost_usd_per_1k is not None),
        search=search.model_copy(update={"usd": search.usd * factor}),
        budget=None if evidence.budget is None else _translated(evidence.budget, evidence, model),
    )


def trials_under(trials: Iterable[TrialRecord], evidence: Evidence, model: CostModel) -> tuple[TrialRecord, ...]:
    """A run's trials at what their students cost under another cost model than that of its evidence."""
    old = evidence.cost_model

    def cost(trial: TrialRecord) -> float:
        reading = evidence.readings.get(trial.student)
        return repriced(reading, old, model).mean if reading else _translated(trial.cost_usd_per_1k, evidence, model)

    return tuple(trial.model_copy(update={"cost_usd_per_1k": cost(trial)}) for trial in trials)


def screening_under(screening: Screening, costs: Costs, model: CostModel) -> Screening:
    """A run's screening at what its students cost under another cost model than that of their readings."""
    if model == costs.cost_model:
        return screening
    students = tuple(
        student.model_copy(update={"cost_usd_per_1k": repriced(reading, costs.cost_model, model).mean})
        if (reading := costs.readings.get(student.student))
        else student
        for student in screening.students
    )
    return screening.model_copy(update={"students": students})


def left_out_under(left_out: Iterable[LeftOut], evidence: Evidence, model: CostModel) -> tuple[LeftOut, ...]:
    """The students that were not trained, at what they cost under another cost model, as far as that is known."""
    old = evidence.cost_model
    readings = {name: repriced(reading, old, model) for name, reading in evidence.readings.items()}
    return tuple(_left_out(left, readings.get(left.student), evidence, model) for left in left_out)


def with_latency(evidence: Evidence, measured: float | None, asked: float | None) -> Evidence:
    """The evidence with a note, which makes a verdict weak, where another latency limit is asked for than was measured.

    Limits are milliseconds, None for none. A capacity is what a replica serves within the limit that it was measured
    for; what it would be within another one is not in the evidence.
    """
    if asked == measured:
        return evidence
    known, wanted = ("no latency limit" if each is None else f"a limit of {each:g} ms" for each in (measured, asked))
    limit = f"without {named('max_latency_ms')}" if asked is None else f"with {set_to('max_latency_ms', asked)}"
    text = (
        f"Capacities, and with them costs, were measured for {known}, not for {wanted}. Needed: a new search {limit}."
    )
    search = evidence.search.model_copy(
        update={"notes": (*evidence.search.notes, Note(kind="capacity_unknown", text=text))}
    )
    return replace(evidence, search=search)


def _left_out(left: LeftOut, measured: Interval | None, evidence: Evidence, new: CostModel) -> LeftOut:
    """A student that was not trained; its cost is dropped where it was predicted and a fleet rounds it."""
    cost: float | None = None
    if measured is not None:
        cost = measured.mean
    elif left.cost_usd_per_1k is not None and evidence.cost_model.requests_per_month is None:
        cost = _translated(left.cost_usd_per_1k, evidence, new)
    return left.model_copy(update={"cost_usd_per_1k": cost})


def _translated(cost: float, evidence: Evidence, new: CostModel) -> float:
    """What the slowest model within `cost` under the evidence's cost model costs under the new one.

    Between replicas and billing by use, that model takes as much longer or shorter alone than the teacher as it serves
    fewer or more requests in full batches.
    """
    old, teacher = evidence.cost_model, evidence.teacher_reading
    if old.model == "params":
        return cost * new.usd_per_1k_per_billion / old.usd_per_1k_per_billion
    rps, alone = teacher.capacity_rps or 0.0, teacher.alone_seconds.mean if teacher.alone_seconds else 0.0
    if old.pay_per_use is None:
        capacity = capacity_for(cost, old)
        if new.pay_per_use is None:
            return cost_usd_per_1k(capacity, new)
        return pay_per_use_usd_per_1k(alone * rps / capacity, new.pay_per_use) if capacity > 0 else inf
    seconds = seconds_for(cost, old.pay_per_use)
    if new.pay_per_use is None:
        return cost_usd_per_1k(alone * rps / seconds if seconds > 0 else inf, new)
    return pay_per_use_usd_per_1k(seconds, new.pay_per_use)
