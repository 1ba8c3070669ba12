"""The same evidence under other conditions of serving: another price, utilization, fleet, volume or serving host.

What was measured stays (capacity, latency, accuracy); what it costs is computed anew. On another host capacities and
latencies are those of a file of `autokd measure`. Nothing is trained or measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

from autokd.cost.costs_file import check_fits, check_has, priced, read_costs
from autokd.cost.dollars import capacity_for, cost_usd_per_1k, pay_per_use_usd_per_1k, seconds_for
from autokd.cost.repricing import SERVING, changed_model, model_elsewhere
from autokd.decide.economics import repriced
from autokd.decide.evidence import Evidence
from autokd.naming import named, set_to
from autokd.records import CostModel, LeftOut, MeasuredCosts, Note, Policy, Reading, Screening, ServedForm, TrialRecord
from autokd.runs.folder import Run
from autokd.runs.store import Costs

CONDITIONS = tuple(
    dict.fromkeys((*Policy.model_fields, *SERVING, "costs", "price_per_billion", "train_price_per_hour"))
)


def under(evidence: Evidence, model: CostModel) -> Evidence:
    """The evidence with every cost computed under another cost model."""
    old = evidence.cost_model
    if model == old:
        return evidence

    serves_alike = model.model_copy(update={"train_price_usd_per_hour": old.train_price_usd_per_hour}) == old

    def anew(reading: Reading) -> Reading:
        if serves_alike:
            return reading
        new = model.for_teacher if reading.model == evidence.teacher.name else model
        return reading.model_copy(update={"cost_usd_per_1k": repriced(reading, old, new)})

    def forms(given: Iterable[ServedForm]) -> tuple[ServedForm, ...]:
        return tuple(form.model_copy(update={"reading": anew(form.reading)}) for form in given)

    factor = model.train_price_usd_per_hour / old.train_price_usd_per_hour
    changed = replace(
        evidence,
        cost_model=model,
        teacher_reading=anew(evidence.teacher_reading),
        teacher_forms=forms(evidence.teacher_forms),
        student_forms=tuple(f.model_copy(update={"forms": forms(f.forms)}) for f in evidence.student_forms),
        finalists=tuple(f.model_copy(update={"reading": anew(f.reading)}) for f in evidence.finalists),
        readings={name: anew(reading) for name, reading in evidence.readings.items()},
        search=evidence.search.model_copy(update={"usd": evidence.search.usd * factor}),
    )
    return _carried_over(evidence, changed)


def under_conditions(run: Run, stored: Evidence, given: Mapping[str, Any], policy: Policy) -> Evidence:
    """A run's stored evidence under the conditions that `autokd decide` was given, by their names there.

    Raises ConfigError for a condition that cannot be used.
    """
    settings = run.settings
    if "costs" not in given:
        evidence = under(stored, changed_model(stored.cost_model, given, settings.prices))
        return with_latency(evidence, settings.max_latency_ms, policy.max_latency_ms)
    path = Path(given["costs"])
    costs = read_costs(path)
    model = model_elsewhere(stored.cost_model, costs.cost_model, given, settings.prices, settings.teacher_instance)
    return with_latency(on_host(stored, costs, path, model), costs.max_latency_ms, policy.max_latency_ms)


def on_host(evidence: Evidence, costs: MeasuredCosts, path: Path, model: CostModel) -> Evidence:
    """The evidence with teacher and finalists as fast as on the host of a file of costs, under its cost model.

    Other forms were not measured there and are left out. Costs that the file lacks, of students that are no finalists,
    are carried over at their ratio to the teacher's. Raises ConfigError where the file lacks the teacher
    or a finalist, or has other image sizes.
    """
    teacher, size = evidence.teacher, evidence.task.transform.image_size
    check_fits(costs, path, teacher.name, teacher.preprocessing.image_size if teacher.preprocessing else size, size)
    students = dict.fromkeys(finalist.student for finalist in evidence.finalists)
    check_has(costs, path, teacher.name, students)
    known = {name: found for name in (*evidence.readings, *students, teacher.name) if (found := costs.reading(name))}
    readings = priced(known, teacher.name, model)
    changed = replace(
        under(evidence, model),
        teacher_reading=readings[teacher.name],
        teacher_forms=(),
        forms_correct={},
        student_forms=(),
        student_forms_correct={},
        drift=1.0,  # of that host it is not known
        finalists=tuple(f.model_copy(update={"reading": readings[f.student]}) for f in evidence.finalists),
        readings=readings,
    )
    return _with_remarks(_carried_over(evidence, changed), costs)


def _with_remarks(evidence: Evidence, costs: MeasuredCosts) -> Evidence:
    """What a reader has to know of costs from a file."""
    classes = len(evidence.task.classes)
    told = "Costs are those of `autokd measure` on another host. Cheaper forms were not measured there."
    if costs.classes != classes:
        told += f" The models there have {costs.classes} classes and the task has {classes}: costs differ by the head."
    remarks = (*evidence.search.remarks, Note(kind="costs_elsewhere", text=told))
    return replace(evidence, search=evidence.search.model_copy(update={"remarks": remarks}))


def _carried_over(stored: Evidence, changed: Evidence) -> Evidence:
    """The evidence under other conditions, with budget and students that were not trained under the same."""
    nearest = left_out_under(stored.nearest, stored, changed)
    return replace(
        changed,
        nearest=tuple(left for left in nearest if left.cost_usd_per_1k is not None),
        budget=None if stored.budget is None else _translated(stored.budget, stored, changed),
    )


def trials_under(trials: Iterable[TrialRecord], stored: Evidence, changed: Evidence) -> tuple[TrialRecord, ...]:
    """A run's trials at what their students cost under other conditions than those of its stored evidence."""

    def cost(trial: TrialRecord) -> float:
        reading = changed.readings.get(trial.student)
        return reading.cost_usd_per_1k.mean if reading else _translated(trial.cost_usd_per_1k, stored, changed)

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


def left_out_under(left_out: Iterable[LeftOut], stored: Evidence, changed: Evidence) -> tuple[LeftOut, ...]:
    """The students that were not trained, at what they cost under other conditions, as far as that is known."""
    return tuple(_left_out(left, stored, changed) for left in left_out)


def with_latency(evidence: Evidence, measured: float | None, asked: float | None) -> Evidence:
    """The evidence with a note, which makes a verdict weak, where another latency limit is asked for than was measured.

    Limits are milliseconds, None for none. A capacity is what a replica serves within the limit that it was measured
    for; what it would be within another one is not in the evidence.
    """
    if asked == measured:
        return evidence
    known, wanted = ("no latency limit" if each is None else f"a limit of {each:g} ms" for each in (measured, asked))
    limit = f"without {named('max_latency_ms')}" if asked is None else f"with {set_to('max_latency_ms', asked)}"
    again = "`autokd measure` again," if evidence.cost_model.measured_elsewhere else "a new search"
    text = f"Capacities, and with them costs, were measured for {known}, not for {wanted}. Needed: {again} {limit}."
    search = evidence.search.model_copy(
        update={"notes": (*evidence.search.notes, Note(kind="capacity_unknown", text=text))}
    )
    return replace(evidence, search=search)


def _left_out(left: LeftOut, stored: Evidence, changed: Evidence) -> LeftOut:
    """A student that was not trained; its cost is dropped where it was predicted and a fleet rounds it."""
    cost: float | None = None
    if (reading := changed.readings.get(left.student)) is not None:
        cost = reading.cost_usd_per_1k.mean
    elif left.cost_usd_per_1k is not None and stored.cost_model.requests_per_month is None:
        cost = _translated(left.cost_usd_per_1k, stored, changed)
    return left.model_copy(update={"cost_usd_per_1k": cost})


def _translated(cost: float, stored: Evidence, changed: Evidence) -> float:
    """What the slowest model within `cost` under the stored conditions costs under the changed ones."""
    old, new = stored.cost_model, changed.cost_model
    if old.model == "params":
        return cost * new.usd_per_1k_per_billion / old.usd_per_1k_per_billion
    capacity, seconds = slowest_within(cost, stored, changed)
    if new.pay_per_use is None:
        return cost_usd_per_1k(capacity, new)
    return pay_per_use_usd_per_1k(seconds, new.pay_per_use) if seconds < inf else inf


def slowest_within(cost: float, stored: Evidence, changed: Evidence) -> tuple[float, float]:
    """Requests per second and seconds of one alone, as in `changed`, of the slowest model within `cost` as in `stored`.

    Its speed relative to the teacher's is the same in both, on any host, alone as in full batches.
    """
    (rps, alone), (new_rps, new_alone) = map(_speed, (stored.teacher_reading, changed.teacher_reading))
    if (rate := stored.cost_model.pay_per_use) is not None:
        seconds = seconds_for(cost, rate)
        return alone * new_rps / seconds if seconds > 0 else inf, seconds * _ratio(new_alone, alone)
    capacity = capacity_for(cost, stored.cost_model)
    return capacity * _ratio(new_rps, rps), new_alone * rps / capacity if capacity > 0 else inf


def _speed(teacher: Reading) -> tuple[float, float]:
    """Requests per second, and seconds of one alone; 0 where unknown."""
    return teacher.capacity_rps or 0.0, teacher.alone_seconds.mean if teacher.alone_seconds else 0.0


def _ratio(new: float, old: float) -> float:
    return new / old if new > 0 and old > 0 else 1.0
