"""The estimate of training time; only that it is one, since times themselves are nobody's business here."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from autokd.training import compile_and_timing as module
from autokd.training.compile_and_timing import fastest_precision, training_seconds_per_image, try_compile
from autokd.zoo.build import build


def test_a_training_step_takes_time():
    assert 0 < training_seconds_per_image(build("test_resnet", 3, 32), 32, 4, "cpu") < 10


def test_a_step_that_does_not_fit_is_not_compiled(monkeypatch):
    def full(*_):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")

    monkeypatch.setattr("autokd.training.compile_and_timing._step_times", full)
    found = try_compile(build("test_resnet", 3, 32), 32, 4, 100, "cpu")
    assert (found.used, found.reason) == (False, "not compiled: there was not enough memory to try it")


@pytest.mark.parametrize(
    ("multiplies", "bf16", "expected"),
    [(True, 0.5, ("bf16", 0.5)), (True, 0.95, ("fp32", 1.0)), (True, 1.8, ("fp32", 1.0)), (False, 0.5, ("fp32", 1.0))],
)
def test_bfloat16_is_used_on_a_cpu_that_multiplies_it_where_it_is_clearly_faster(
    multiplies: bool, bf16: float, expected: tuple[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cpu_multiplies_bf16", lambda: multiplies)
    monkeypatch.setattr(module, "precision_of", lambda _: "fp32")
    monkeypatch.setattr(module, "training_seconds_per_image", lambda *asked: {"fp32": 1.0, "bf16": bf16}[asked[-1]])
    assert fastest_precision(nn.Linear(1, 1), 32, 8, "cpu") == expected


def test_a_model_that_is_timed_in_both_precisions_keeps_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_choice_of_precision", lambda _: True)
    model = build("test_resnet", 3, 32)
    before = [weight.clone() for weight in model.parameters()]
    precision, seconds = fastest_precision(model, 32, 4, "cpu")
    assert precision in ("fp32", "bf16")
    assert seconds > 0
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
