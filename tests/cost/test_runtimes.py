"""Every runtime answers with the model's own logits."""

from __future__ import annotations

import pytest
import torch

from autokd.config import SearchConfig
from autokd.cost.bench import Bench
from autokd.cost.fastest_runtime import serve_teacher
from autokd.cost.pricing import cost_model_for
from autokd.cost.runtimes.open import open_runtime, usable_runtimes
from autokd.cost.runtimes.protocol import ready
from autokd.errors import ConfigError
from autokd.progress import Silent
from autokd.records import CostModel, RuntimeName
from autokd.zoo.build import build
from autokd.zoo.served_form import served_form

IMAGES = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def cost_model(**fields: object) -> CostModel:
    settings = SearchConfig.of(teacher="test_resnet", max_cost=1, device="cpu", price_per_hour=1.0)
    return cost_model_for(settings, 64).model_copy(update=fields)


class Ear(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_byobnet"])
@pytest.mark.parametrize("runtime", ["eager", "onnxruntime"])
def test_logits_are_those_of_the_model_at_any_batch_size(runtime: RuntimeName, name: str) -> None:
    model = build(name, 5, 64).eval()
    with torch.no_grad():
        expected = model(IMAGES)
    loaded = ready(open_runtime(cost_model(runtime=runtime)), served_form(model, 64), IMAGES)
    for batch in (1, 3, 4):
        assert loaded.seconds(batch) > 0
        assert torch.allclose(loaded.logits(batch), expected[:batch], atol=1e-5)


@pytest.mark.slow
def test_a_compiled_model_answers_alike() -> None:
    model = build("test_resnet", 5, 64).eval()
    with torch.no_grad():
        expected = model(IMAGES)
    loaded = ready(open_runtime(cost_model(runtime="compile", batch_size=4)), served_form(model, 64), IMAGES)
    assert torch.allclose(loaded.logits(4), expected, atol=1e-5)


class OneByOne(torch.nn.Module):
    """Cannot be converted for any number of images."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.mean() > 1e9:
            return self.head(images.amax((2, 3)))
        return self.head(images.mean((2, 3)))


def test_a_model_that_cannot_be_converted_is_named_with_a_next_step() -> None:
    bench = Bench(cost_model(runtime="onnxruntime"), with_sizes=False)
    with pytest.raises(ConfigError, match=r"odd cannot be served with .*onnxruntime.*choose eager and fp32"):
        bench.load("odd", OneByOne)


def test_the_faster_runtime_serves_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {"eager": 3.0, "onnxruntime": 2.0}
    monkeypatch.setattr("autokd.cost.bench.Bench._batch", lambda bench, loaded: (4, {4: 1.0}))
    for name, path in (("eager", "eager.TorchLoaded"), ("onnxruntime", "onnx_runtime.OnnxLoaded")):
        monkeypatch.setattr(f"autokd.cost.runtimes.{path}.seconds", lambda loaded, batch, name=name: slow[name])
    ear = Ear()
    served = serve_teacher("test_resnet", lambda: build("test_resnet", 5, 64), cost_model(), False, None, ear)
    assert served.model.runtime == "onnxruntime"
    assert served.model.threads == torch.get_num_threads()
    assert served.teacher.batch == 4
    assert ear.notes == [
        "Served with ONNX Runtime, teacher and students: test_resnet is 1.50 times as fast as with torch (eager)."
    ]
    slow["eager"] = 1.0
    again = serve_teacher("test_resnet", lambda: build("test_resnet", 5, 64), cost_model(), False, None, ear)
    assert again.model.runtime == "eager"


def test_a_teacher_that_only_torch_can_serve_is_served_by_it_and_the_reason_is_said() -> None:
    ear = Ear()
    served = serve_teacher("odd", OneByOne, cost_model(), False, None, ear)
    assert served.model.runtime == "eager"
    assert ear.notes[0].startswith("ONNX Runtime is left out, because it cannot serve odd: ")


def test_only_a_cpu_in_fp32_has_a_choice() -> None:
    assert usable_runtimes("cpu", "fp32") == ("eager", "onnxruntime")
    assert usable_runtimes("cpu", "bf16") == usable_runtimes("cuda", "fp32") == ("eager",)


def test_onnx_runtime_in_another_precision_is_refused_in_one_sentence() -> None:
    settings = SearchConfig.of(
        teacher="test_resnet", max_cost=1, device="cpu", serve_runtime="onnxruntime", serve_precision="bf16"
    )
    with pytest.raises(ConfigError, match=r"serves in fp32 on CPUs only, not with serve_precision='?bf16.*choose"):
        cost_model_for(settings, 32)


@pytest.mark.parametrize("logit", [7.0, float("nan")])
def test_other_logits_are_not_served(logit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "autokd.cost.runtimes.eager.TorchLoaded.logits", lambda loaded, batch: torch.full((batch, 5), logit)
    )
    bench = Bench(cost_model(runtime="eager"), with_sizes=False)
    with pytest.raises(ConfigError, match=r"its logits (differ by|are no numbers)"):
        bench.load("test_resnet", lambda: build("test_resnet", 5, 64))
