"""The runtime of a cost model, and those that may be chosen for it."""

from __future__ import annotations

from autokd.cost.runtimes.compiled import Compiled
from autokd.cost.runtimes.eager import Eager
from autokd.cost.runtimes.onnx_runtime import OnnxRuntime
from autokd.cost.runtimes.protocol import Runtime
from autokd.records import CostModel, Precision, RuntimeName

Form = tuple[RuntimeName, Precision]


def open_runtime(model: CostModel) -> Runtime:
    """The cost model's runtime on its device, in its precision; eager torch where it names none."""
    if model.runtime == "onnxruntime":
        return OnnxRuntime(model.precision)
    if model.runtime == "compile":
        return Compiled(model.device, model.precision, fixed=model.batch_size is not None)
    return Eager(model.device, model.precision)


def other_forms(model: CostModel) -> tuple[Form, ...]:
    """Runtimes and precisions beside the cost model's that may serve a teacher for less on its device."""
    on_cpu: tuple[Form, ...] = (("onnxruntime", "fp32"), ("onnxruntime", "int8"), ("eager", "bf16"))
    on_gpu: tuple[Form, ...] = (("compile", model.precision), ("eager", "fp16"), ("eager", "bf16"))
    forms = on_cpu if model.device == "cpu" else on_gpu if model.device.startswith("cuda") else ()
    return tuple(form for form in forms if form != (model.runtime, model.precision))


def usable_runtimes(device: str, precision: str) -> tuple[RuntimeName, ...]:
    """Those that may be chosen without being asked for; where there are several, the teacher's times decide.

    Compiling is not among them: it takes longer for each student than all its timings.
    """
    return ("eager", "onnxruntime") if device == "cpu" and precision == "fp32" else ("eager",)
