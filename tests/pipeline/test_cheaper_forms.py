"""The teacher's cheaper forms: timed in turn with itself, evaluated with its own weights, refused in one sentence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from helpers_images import Recorder
from made_evidence import made_cost_model, made_reading
from onnx import numpy_helper
from pattern_task import _one_thread, config, data, pattern_folder

from autokd.config import SearchConfig
from autokd.cost.runtimes import open as runtimes
from autokd.cost.runtimes import protocol
from autokd.cost.runtimes.int8 import quantised
from autokd.cost.runtimes.onnx_runtime import OnnxRuntime
from autokd.data.task import TaskData
from autokd.errors import ConfigError
from autokd.pipeline.cheaper_forms import teacher_forms
from autokd.progress import Silent
from autokd.records import CostModel, Precision, RuntimeName
from autokd.teacher.prepare import ReadyTeacher, prepare_teacher
from autokd.zoo.build import build
from autokd.zoo.onnx_model import convert
from autokd.zoo.served_form import served_form

__all__ = ["_one_thread", "config", "data", "pattern_folder"]

OWN = made_reading("test_resnet", 0.001, 5.0, False, 0.01)


class Meter:
    """Costs by form; a text is why a form cannot be served."""

    def __init__(self, costs: dict[str, float | str]) -> None:
        self.cost_model: CostModel = made_cost_model(device="cpu", runtime="eager")
        self._costs = costs

    def read_form(self, runtime: RuntimeName, precision: Precision) -> Any:
        cost = self._costs[f"{runtime} {precision}"]
        if isinstance(cost, str):
            raise ConfigError(cost)
        return made_reading("test_resnet", cost, 5.0, False, 0.01)


@pytest.fixture
def ready(config: SearchConfig, data: TaskData) -> ReadyTeacher:
    return prepare_teacher(config.sized(len(data.train)), data, "cpu", Silent())


def forms(config: SearchConfig, data: TaskData, ready: ReadyTeacher, costs: dict[str, float | str]) -> Any:
    prepared, hearing = SimpleNamespace(task_folder=data.folder, ready=ready), Recorder()
    found = teacher_forms(prepared, OWN, config, Meter(costs), hearing)  # type: ignore[arg-type]
    return found, hearing.notes


def test_a_cheaper_form_is_evaluated_with_the_teachers_weights(
    config: SearchConfig, data: TaskData, ready: ReadyTeacher
) -> None:
    costs = {"onnxruntime fp32": 0.0005, "onnxruntime int8": 0.00025, "eager bf16": 0.00095}
    (fp32, int8), notes = forms(config, data, ready, costs)
    assert (fp32.form.key, int8.form.key) == ("onnxruntime_fp32", "onnxruntime_int8")
    assert fp32.form.val_accuracy == pytest.approx(ready.record.val_accuracy)
    assert fp32.form.test_accuracy == pytest.approx(ready.record.test_accuracy)
    own = ready.test_logits.argmax(1).numpy() == data.labels[data.test]
    assert np.array_equal(fp32.correct, own)
    assert int8.correct.shape == own.shape
    assert int8.form.test_accuracy == pytest.approx(int8.correct.mean())
    assert int8.correct.mean() > 0.5
    assert "test_resnet as int8 in ONNX Runtime costs 4.0 times less" in notes[1]
    assert notes[2] == "test_resnet costs no less, or hardly less, as bf16 in torch (eager)."


def test_a_form_that_cannot_be_served_is_named_and_left_out(
    config: SearchConfig, data: TaskData, ready: ReadyTeacher
) -> None:
    costs = {"onnxruntime fp32": "it has no such operator", "onnxruntime int8": 0.01, "eager bf16": 0.0005}
    (bf16,), notes = forms(config, data, ready, costs)
    assert bf16.form.precision == "bf16"
    assert notes[0] == "test_resnet cannot be served as fp32 in ONNX Runtime: it has no such operator"


def test_int8_answers_nearly_as_fp32_does() -> None:
    torch.manual_seed(0)
    model = served_form(build("test_resnet", 10, 32).eval(), 32)
    images = torch.randn(32, 3, 32, 32)
    exact, coarse = (protocol.ready(OnnxRuntime(precision), model, images) for precision in ("fp32", "int8"))
    expected = model(images).detach()
    torch.testing.assert_close(exact.answer(images), expected, rtol=1e-3, atol=1e-4)
    error = (coarse.answer(images) - expected).abs().max() / expected.abs().max()
    assert 0 < error < 0.2


def test_weights_in_int8_leave_room_for_sums_on_cpus_without_vnni() -> None:
    torch.manual_seed(0)
    whole = convert(served_form(build("test_resnet", 10, 32).eval(), 32), 32)
    images = torch.randn(8, 3, 32, 32).numpy()

    def largest(reduce_range: bool) -> int:
        written = onnx.load_from_string(quantised(whole, images, reduce_range))
        weights = [numpy_helper.to_array(tensor) for tensor in written.graph.initializer]
        return max(int(np.abs(array.astype(int)).max()) for array in weights if array.dtype == np.int8 and array.size)

    assert (largest(True), largest(False)) == (64, 127)


def test_a_model_that_cannot_be_quantised_is_an_error_with_the_reason() -> None:
    broken = convert(torch.nn.Flatten(), 32)
    broken.graph.ClearField("node")
    with pytest.raises(RuntimeError, match="quantisation failed"):
        quantised(broken, np.zeros((2, 3, 32, 32), dtype=np.float32))


def test_forms_are_those_of_the_device_but_for_the_runs_own() -> None:
    cpu = made_cost_model(device="cpu", runtime="onnxruntime")
    assert runtimes.other_forms(cpu) == (("onnxruntime", "int8"), ("eager", "bf16"))
    gpu = made_cost_model(device="cuda", runtime="eager", precision="bf16")
    assert runtimes.other_forms(gpu) == (("compile", "bf16"), ("eager", "fp16"))
    assert runtimes.other_forms(made_cost_model(device="mps", runtime="eager")) == ()
