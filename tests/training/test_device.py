"""Which device a training uses, and in which precision."""

from __future__ import annotations

import pytest
import torch

from autokd.precision import has_bf16, precision_of
from autokd.training.device import autocast, leave_device, resolve_device, use_device
from autokd.zoo.build import build


def test_devices_resolve() -> None:
    assert resolve_device("meta") == "meta"
    assert resolve_device(None) in {"cpu", "cuda"}


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 0), "fp16"), ((7, 5), "fp16"), ((8, 0), "bf16"), ((12, 0), "bf16")]
)
def test_a_gpu_without_bfloat16_computes_in_float16(monkeypatch, capability, precision) -> None:
    asked = []
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: asked.append(device) or capability)
    assert precision_of("cuda:1") == precision
    assert has_bf16("cuda:1") is (precision == "bf16")
    assert set(asked) == {"cuda:1"}


def test_rocm_has_bfloat16(monkeypatch) -> None:
    monkeypatch.setattr("torch.version.hip", "6.2")
    assert precision_of("cuda") == "bf16"


@pytest.mark.parametrize(("units", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_cpu_gains_from_bfloat16_with_matrix_units_only(monkeypatch, units, precision) -> None:
    monkeypatch.setattr("autokd.precision.cpu_has_matrix_units", lambda: units)
    assert precision_of("cpu") == precision
    assert precision_of("mps") == "fp32"


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_is_in_the_asked_precision(precision, dtype) -> None:
    with autocast("cpu", precision):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_worker_s_gpu_is_its_current_one(monkeypatch) -> None:
    chosen: list[str] = []
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    assert [use_device(device) for device in ("cuda:1", "cuda", "cpu")] == ["cuda:1", "cuda", "cpu"]
    assert chosen == ["cuda:1"]


def test_a_model_leaves_its_device(monkeypatch) -> None:
    freed: list[bool] = []
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: freed.append(True))
    model = build("test_resnet", 3, 32)
    leave_device(model)
    assert freed == [True]
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}
