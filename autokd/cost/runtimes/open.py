"""The runtime of a cost model, and those that may be chosen for it."""

from __future__ import annotations

from autokd.cost.runtimes.compiled import Compiled
from autokd.cost.runtimes.eager import Eager
from autokd.cost.runtimes.onnx_runtime import OnnxRuntime
from autokd.cost.runtimes.protocol import Runtime
from autokd.records import CostModel, RuntimeName


def open_runtime(model: CostModel) -> Runtime:
    """The cost model's runtime on its device, in its precision; eager torch where it names none."""
    if model.runtime == "onnxruntime":
        return OnnxRuntime()
    if model.runtime == "compile":
        return Compiled(model.device, model.precision, fixed=model.batch_size is not None)
    return Eager(model.device, model.precision)


def usable_runtimes(device: str, precision: str) -> tuple[RuntimeName, ...]:
    """Those that may be chosen without being asked for; where there are several, the teacher's times decide.

    Compiling is not among them: it takes longer for each student than all its timings.
    """
    return ("eager", "onnxruntime") if device == "cpu" and precision == "fp32" else ("eager",)
