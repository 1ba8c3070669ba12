"""The options that the report shows in cheaper forms, so that teacher and students are compared each in its best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.cost.dollars import serving_cost
from autokd.decide import read_evidence, shown_finalists
from autokd.errors import AutokdError, InterruptedRun
from autokd.formatting import first_line
from autokd.metrics import Correct
from autokd.pipeline.search_summary import write_summary
from autokd.progress import Listener, Silent
from autokd.records import CostModel, FinalistRecord, Interval, Note, Precision, Reading, RuntimeName, StudentForms
from autokd.runs.arrays import STUDENT_FORMS, write_forms_correct
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, SEARCH, WEIGHTS, read_finalists

if TYPE_CHECKING:
    from torch import nn

    from autokd.cost.meter import MeasuredMeter
    from autokd.pipeline.cheaper_forms import Form
    from autokd.pipeline.services import Prepared
    from autokd.pipeline.stages import State


def read_student_forms(state: State) -> None:
    """Cost and accuracy of the shown options in cheaper forms; leaves them in costs.json and student_forms.npz.

    What is known of the weights that are exported now is kept. Whatever fails is a note: the verdict does without it.
    """
    run, costs = state.run, COSTS.read(state.run.path)
    reader = state.parts.form_reader(state.prepared, state.config, costs.cost_model)
    finalists = {finalist.number: finalist for finalist in read_finalists(run.path)}
    if reader is None or not finalists:
        return
    evidence = read_evidence(run)
    known = [forms for forms in costs.student_forms if forms.seed == finalists[forms.finalist].shipped.seed]
    lacking = set(shown_finalists(evidence, state.config.policy())) - {forms.finalist for forms in known}
    if not lacking and len(known) == len(costs.student_forms):
        return
    outcomes = {
        (key := forms.key(form)): evidence.student_forms_correct[key] for forms in known for form in forms.forms
    }
    notes = []
    for number in sorted(lacking):
        found = _tried(state, reader, finalists[number])
        if isinstance(found, Note):
            notes.append(found)
            continue
        forms = StudentForms(
            finalist=number, seed=finalists[number].shipped.seed, forms=tuple(each.form for each in found)
        )
        known.append(forms)
        outcomes |= {forms.key(each.form): each.correct for each in found}
    _keep(state, known, outcomes, notes)


def forget_forms_of_others(run: Run, recorded: Sequence[FinalistRecord], records: Sequence[FinalistRecord]) -> None:
    """Drop the forms whose finalist or seed is gone, or whose number another finalist has now; before it is written.

    recorded: the finalists that the forms were read of.
    """
    costs = COSTS.read(run.path)
    before, now = ({record.number: record for record in each} for each in (recorded, records))

    def stays(forms: StudentForms) -> bool:
        old, new = before.get(forms.finalist), now.get(forms.finalist)
        same = old and new and (old.arm, old.student, old.recipe) == (new.arm, new.student, new.recipe)
        return bool(same) and new is not None and forms.seed in {result.seed for result in new.seeds}

    kept = tuple(forms for forms in costs.student_forms if stays(forms))
    if kept != costs.student_forms:
        with run.rewriting(COSTS.path(run.path)):
            COSTS.write(run.path, costs.model_copy(update={"student_forms": kept}))


def _tried(state: State, reader: StudentFormReader, finalist: FinalistRecord) -> tuple[Form, ...] | Note:
    """The forms of a finalist, or why there are none."""
    from autokd.cost.runtimes.protocol import FAILURES

    name = _name(finalist)
    if state.time and state.time.watch.seconds > state.time.seconds:
        text = state.time.left_out([f"{name} in cheaper forms"])
        return Note(kind="student_forms", text=text, finalist=finalist.number)
    try:
        weights = state.run.finalist_path(finalist.number, finalist.shipped.seed) / WEIGHTS
        return reader.forms(finalist, weights, state.listener)
    except InterruptedRun:
        raise
    except (AutokdError, OSError, *FAILURES) as error:
        line = first_line(error)
        text = f"In cheaper forms, {name} could not be measured: {line}".rstrip(".") + "."
        state.listener.note(text)
        return Note(kind="student_forms", text=text, finalist=finalist.number)


def _keep(state: State, known: Sequence[StudentForms], outcomes: dict[str, Correct], notes: Sequence[Note]) -> None:
    """Write what is known; the notes are this session's."""
    run, costs = state.run, COSTS.read(state.run.path)
    before = tuple(forms for forms in costs.student_forms if forms in known)
    with run.rewriting(run.path / STUDENT_FORMS, COSTS.path(run.path)):
        if before != costs.student_forms:  # those whose outcomes are about to go
            COSTS.write(run.path, costs.model_copy(update={"student_forms": before}))
        write_forms_correct(run.path / STUDENT_FORMS, outcomes)
        COSTS.write(run.path, costs.model_copy(update={"student_forms": tuple(known)}))
    summary = SEARCH.read(run.path)
    remarks = (*(remark for remark in summary.remarks if remark.kind != "student_forms"), *notes)
    if remarks != summary.remarks:
        write_summary(run, summary.model_copy(update={"remarks": remarks}))


class StudentFormReader:
    """Measures and evaluates students in cheaper forms, each timed in turn with itself in the form of the run.

    What the machine's speed has changed by since costs were measured is taken out, so that these costs stand beside
    those of the run.
    """

    def __init__(self, prepared: Prepared, config: SearchConfig, model: CostModel) -> None:
        self._prepared, self._config = prepared, config
        self._model = model.model_copy(update={"teacher_price": None})  # a student's price, although timed first
        self._meters: dict[str, MeasuredMeter] = {}
        self._readings: dict[tuple[str, RuntimeName, Precision], Reading] = {}

    def forms(self, finalist: FinalistRecord, weights: Path, listener: Listener) -> tuple[Form, ...]:
        """Those that cost less than the finalist's own reading, with these weights.

        Raises AutokdError, or one of the runtimes' FAILURES, where nothing can be measured at all.
        """
        from autokd.data.task import open_task
        from autokd.export.timm_folder import load_student
        from autokd.pipeline.cheaper_forms import Subject, cheaper_forms
        from autokd.zoo.build import normalisation

        task = self._prepared.task
        subject = Subject(
            name=_name(finalist),
            load=lambda: load_student(finalist, weights, task),
            data=open_task(self._prepared.task_folder, "cpu", self._config.loader_workers),
            stats=normalisation(finalist.student),
        )

        def read(runtime: RuntimeName, precision: Precision) -> Reading:
            return self._read(finalist, subject.load, runtime, precision)

        return cheaper_forms(subject, finalist.reading, read, self._model, listener)

    def _read(
        self, finalist: FinalistRecord, load: Callable[[], nn.Module], runtime: RuntimeName, precision: Precision
    ) -> Reading:
        """Of an architecture, once: finalists differ by their weights only."""
        name = finalist.student
        if (key := (name, runtime, precision)) not in self._readings:
            meter = self._meters.setdefault(name, self._meter(name, load))
            meter.read([], Silent())
            reading = meter.read_form(runtime, precision)
            now, then = meter.read([], Silent())[name].capacity_rps, finalist.reading.capacity_rps
            self._readings[key] = at_speed(reading, then / now if now and then else 1.0, self._model)
        return self._readings[key]

    def _meter(self, student: str, load: Callable[[], nn.Module]) -> MeasuredMeter:
        """With its trained weights: they are converted once, for their cost and for their accuracy."""
        from autokd.cost.meter import MeasuredMeter

        return MeasuredMeter(student, lambda _: load(), self._model, self._config.max_latency_ms)


def at_speed(reading: Reading, factor: float, model: CostModel) -> Reading:
    """A reading on a machine that is `factor` times as fast, under a cost model; nearly so under a latency limit."""
    if reading.capacity_rps is None or reading.capacity_interval is None:
        return reading
    capacity = _scaled(reading.capacity_interval, factor)
    alone = _scaled(reading.alone_seconds, 1 / factor) if reading.alone_seconds else None
    latency = reading.latency_ms
    if latency:
        p99 = None if latency.p99 is None else latency.p99 / factor
        latency = latency.model_copy(update={"p50": latency.p50 / factor, "p95": latency.p95 / factor, "p99": p99})
    return reading.model_copy(
        update={
            "capacity_rps": reading.capacity_rps * factor,
            "capacity_interval": capacity,
            "alone_seconds": alone,
            "latency_ms": latency,
            "cost_usd_per_1k": serving_cost(capacity, alone, model),
        }
    )


def _scaled(interval: Interval, factor: float) -> Interval:
    ends = {end: getattr(interval, end) * factor for end in ("mean", "low", "high")}
    return interval.model_copy(update=ends)


def _name(finalist: FinalistRecord) -> str:
    return f"finalist {finalist.number} ({finalist.student})"
