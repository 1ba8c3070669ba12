"""The shown options in cheaper forms: kept for the weights that are exported, and never a failure of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fakes import FakeParts, Hearing
from helpers_images import Recorder
from made_evidence import distilled, made_cost_model, made_reading, made_record
from pattern_task import _one_thread, config, data, pattern_folder
from torch import nn

from autokd.config import SearchConfig
from autokd.cost.runtimes import open as runtimes
from autokd.data.task import TaskData
from autokd.errors import AutokdError, InterruptedRun, RunError
from autokd.machine import Stopwatch
from autokd.pipeline.cheaper_forms import Form
from autokd.pipeline.search import confirm_run, run_search
from autokd.pipeline.student_forms import StudentFormReader, _tried, at_speed, forget_forms_of_others
from autokd.pipeline.time_limit import TimeLimit
from autokd.progress import Listener
from autokd.records import FinalistRecord, HourlyPrice, ServedForm
from autokd.result import load_run
from autokd.runs.arrays import STUDENT_FORMS
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, read_finalists
from autokd.weights.save import save_state
from autokd.zoo import onnx_model
from autokd.zoo.build import build

__all__ = ["_one_thread", "config", "data", "pattern_folder"]


class FakeReader:
    """int8 at half the cost, right where the training is but for one image; or an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self._error = error

    def forms(self, finalist: FinalistRecord, weights: Path, listener: Listener) -> tuple[Form, ...]:
        self.asked.append((finalist.number, finalist.shipped.seed))
        if self._error is not None:
            raise self._error
        correct = np.load(weights.parent / "test_correct.npy")
        correct[np.flatnonzero(correct)[0]] = False
        reading = at_speed(finalist.reading, 2.0, made_cost_model())
        form = ServedForm(
            runtime="onnxruntime",
            precision="int8",
            reading=reading,
            val_accuracy=finalist.shipped.val_accuracy,
            test_accuracy=float(correct.mean()),
        )
        return (Form(form, correct),)


@dataclass(frozen=True)
class FormParts(FakeParts):
    reader: FakeReader = field(default_factory=FakeReader)

    def form_reader(self, *_: object) -> Any:
        return self.reader


def test_the_shown_options_are_measured_kept_and_told(settings: SearchConfig, tmp_path: Path) -> None:
    parts = FormParts(test_images=200)
    result = run_search(settings, output=tmp_path / "run", parts=parts)
    options = result.report.options
    shown = {option.finalist for option in (options.direct, options.distilled) if option}
    shipped = {record.number: record.shipped.seed for record in read_finalists(result.path)}
    assert {number for number, _ in parts.reader.asked} == shown
    known = COSTS.read(result.path).student_forms
    assert {forms.finalist: forms.seed for forms in known} == {n: seed for n, seed in shipped.items() if n in shown}
    assert options.distilled is not None
    assert options.distilled.forms[0].words == "int8 in ONNX Runtime"
    assert options.distilled.forms[0].lost == pytest.approx(1 / 200)
    assert result.decide(max_cost=0.9).options.distilled.forms == options.distilled.forms  # type: ignore[union-attr]

    again = FormParts(test_images=200)
    run_search(settings, output=tmp_path / "run", resume=True, parts=again)
    assert again.reader.asked == []
    confirmed = confirm_run(tmp_path / "run", 5, parts=again)
    changed = {r.number for r in read_finalists(result.path) if r.shipped.seed != shipped[r.number]}
    assert {number for number, _ in again.reader.asked} >= changed & shown
    seeds = {record.number: record.shipped.seed for record in read_finalists(result.path)}
    assert all(forms.seed == seeds[forms.finalist] for forms in COSTS.read(confirmed.path).student_forms)


@pytest.mark.parametrize("change", [{"student": "another"}, {"arm": "direct"}, {"seeds": ()}, None])
def test_forms_of_a_number_that_another_finalist_has_now_are_dropped(
    settings: SearchConfig, tmp_path: Path, change: dict[str, Any] | None
) -> None:
    result = run_search(settings, output=tmp_path / "run", parts=FormParts(test_images=200))
    run, before = Run(result.path), COSTS.read(result.path).student_forms
    number, recorded = before[0].finalist, read_finalists(result.path)
    records = [
        record.model_copy(update=change) if change and record.number == number else record for record in recorded
    ]
    if change == {"arm": "direct"}:
        assert next(r for r in recorded if r.number == number).arm == "distill"
    forget_forms_of_others(run, recorded, records)
    assert COSTS.read(run.path).student_forms == (before if change is None else before[1:])
    run.check_files(COSTS.name)


def test_a_kill_while_costs_are_rewritten_leaves_a_run_that_goes_on(settings: SearchConfig, tmp_path: Path) -> None:
    run = Run(run_search(settings, output=tmp_path / "run", parts=FormParts(test_images=200)).path)
    costs = COSTS.read(run.path)
    with pytest.raises(KeyboardInterrupt), run.rewriting(COSTS.path(run.path)):
        COSTS.write(run.path, costs.model_copy(update={"drift": 1.01}))
        raise KeyboardInterrupt
    run_search(settings, output=run.path, resume=True, parts=FormParts(test_images=200))
    assert COSTS.read(run.path).drift == 1.01
    run.check_files()


def test_altered_forms_are_noticed(settings: SearchConfig, tmp_path: Path) -> None:
    result = run_search(settings, output=tmp_path / "run", parts=FormParts(test_images=200))
    path, costs = result.path, COSTS.read(result.path)
    run = Run(path)
    (path / STUDENT_FORMS).write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"student_forms\.npz is not what this run has written"):
        load_run(path).decide(max_cost=0.5)
    run.keep_checksums(path / STUDENT_FORMS)
    with pytest.raises(RunError, match=r"student_forms\.npz cannot be read"):
        load_run(path).decide(max_cost=0.5)
    stranger = costs.student_forms[0].model_copy(update={"seed": 99, "forms": ()})
    COSTS.write(path, costs.model_copy(update={"student_forms": (stranger,)}))
    run.keep_checksums(COSTS.path(path))
    with pytest.raises(RunError, match="seed 99, and there is no such training"):
        load_run(path).decide(max_cost=0.5)


def test_a_failure_is_a_note_and_the_next_session_tries_again(settings: SearchConfig, tmp_path: Path) -> None:
    parts, hearing = (
        FormParts(test_images=200, reader=FakeReader(RuntimeError("no such operator\nat line 3"))),
        Hearing(),
    )
    result = run_search(settings, output=tmp_path / "run", parts=parts, listener=hearing)
    assert result.verdict == "distill"
    notes = [note for note in result.report.search.remarks if note.kind == "student_forms"]
    assert len(notes) == len(parts.reader.asked) > 0
    assert notes[0].text.endswith("could not be measured: no such operator.")
    assert notes[0].text in hearing.notes
    run_search(settings, output=tmp_path / "run", resume=True, parts=FormParts(test_images=200))
    assert not any(note.kind == "student_forms" for note in load_run(result.path).report.search.remarks)


@pytest.mark.parametrize("error", [OSError("disk"), AutokdError("why"), RunError("gone")])
def test_whatever_fails_is_a_note(error: Exception, tmp_path: Path) -> None:
    record, listener = made_record(distilled(), np.ones((3, 10), bool)), Hearing()
    state = SimpleNamespace(time=None, run=Run(tmp_path), listener=listener)
    note = _tried(state, FakeReader(error), record)  # type: ignore[arg-type]
    assert listener.notes == [note.text]  # type: ignore[union-attr]
    assert listener.notes[0] == f"In cheaper forms, finalist 1 (small_net) could not be measured: {error}."


def test_an_interruption_is_passed_on(settings: SearchConfig, tmp_path: Path) -> None:
    parts = FormParts(test_images=200, reader=FakeReader(InterruptedRun("stopped")))
    with pytest.raises(InterruptedRun):
        run_search(settings, output=tmp_path / "run", parts=parts)
    run_search(settings, output=tmp_path / "run", resume=True, parts=FormParts(test_images=200))
    assert COSTS.read(tmp_path / "run").student_forms


def test_when_the_time_limit_is_over_nothing_more_is_measured() -> None:
    record, reader = made_record(distilled(), np.ones((3, 10), bool)), FakeReader()
    watch = Stopwatch(iter([0.0, 61.0]).__next__)
    time = TimeLimit(60.0, watch, SimpleNamespace())  # type: ignore[arg-type]
    note = _tried(SimpleNamespace(time=time), reader, record)  # type: ignore[arg-type]
    assert reader.asked == []
    assert note.text == "The time limit of 1 min left out: finalist 1 (small_net) in cheaper forms."  # type: ignore[union-attr]


def test_a_reading_is_brought_to_the_speed_of_the_machine_when_costs_were_measured() -> None:
    reading = made_reading("small_net", 0.001, 4.0, False, 0.05)
    faster = at_speed(reading, 2.0, made_cost_model())
    assert faster.cost_usd_per_1k.mean == pytest.approx(0.0005)
    assert faster.cost_usd_per_1k.high / faster.cost_usd_per_1k.low == pytest.approx(1.05 / 0.95)
    assert faster.latency_ms is not None
    assert faster.latency_ms.p95 == 2.0
    assert faster.alone_seconds is not None and reading.alone_seconds is not None
    assert faster.alone_seconds.mean == pytest.approx(reading.alone_seconds.mean / 2)


def test_a_real_student_is_timed_and_evaluated_with_its_weights(
    config: SearchConfig, data: TaskData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "other_forms", lambda _: (("onnxruntime", "int8"), ("eager", "bf16")))
    converted: list[int] = []
    really = onnx_model._converted

    def counted(model: nn.Module, image_size: int) -> Any:
        converted.append(image_size)
        return really(model, image_size)

    monkeypatch.setattr(onnx_model, "_converted", counted)
    own = HourlyPrice(price_usd_per_hour=100.0, price_source="t", price_date="undated", instance="the teacher's")
    model = made_cost_model(device="cpu", runtime="eager", threads=1, teacher_price=own, image_size=data.shown_size)
    dear = made_reading("test_byobnet", 1e3, 4.0, False, 0.01)
    record = made_record(distilled(student="test_byobnet"), np.ones((1, 30), bool)).model_copy(update={"reading": dear})
    save_state(tmp_path / "weights.safetensors", build("test_byobnet", 3, 32).state_dict())
    prepared = SimpleNamespace(task=data.task, task_folder=data.folder)
    reader, heard = StudentFormReader(prepared, config, model), Recorder()  # type: ignore[arg-type]
    monkeypatch.setattr("autokd.pipeline.cheaper_forms.cheaper", lambda *_: True)  # so small a model hardly gains
    found = reader.forms(record, tmp_path / "weights.safetensors", heard)
    assert [each.form.key for each in found] == ["onnxruntime_int8", "eager_bf16"]
    assert converted == [data.shown_size]  # for its cost and for its accuracy
    assert all(each.correct.shape == data.test.shape for each in found)
    assert all(each.form.reading.model == "test_byobnet" for each in found)
    for form in (each.form for each in found):
        cost, capacity = form.reading.cost_usd_per_1k.mean, form.reading.capacity_rps
        assert capacity is not None
        assert cost == pytest.approx(1000 * 1.2 / (3600 * capacity * 0.3))  # the student's price
        assert 0.02 < cost / 1e3 < 50  # on the machine of the own reading
    assert any("finalist 1 (test_byobnet) as int8 in ONNX Runtime costs" in note for note in heard.notes)
    assert "on validation" in heard.notes[-1]
