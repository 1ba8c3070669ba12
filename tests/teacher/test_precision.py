"""In which precision a teacher trains."""

from __future__ import annotations

import pytest

from autokd.teacher import precision as module
from autokd.teacher.precision import is_large_and_dense, training_precision
from autokd.zoo.build import build


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("resnet152", 32, True),
        ("convnext_tiny", 64, True),
        ("vit_small_patch16_224", 64, True),
        ("efficientnet_b0", 64, False),  # depthwise
        ("test_resnet", 32, False),  # small
    ],
)
def test_a_large_model_of_dense_layers_is_told_by_its_architecture(name: str, size: int, expected: bool) -> None:
    assert is_large_and_dense(build(name, 10, size), size) is expected


@pytest.mark.parametrize(
    ("device", "usual", "multiplies", "expected"),
    [
        ("cpu", "fp32", True, "bf16"),
        ("cpu", "fp32", False, "fp32"),
        ("cpu", "bf16", True, "bf16"),  # matrix units
        ("cuda:0", "fp16", True, "fp16"),
    ],
)
def test_only_a_cpu_without_matrix_units_has_a_choice(
    device: str, usual: str, multiplies: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "precision_of", lambda _: usual)
    monkeypatch.setattr(module, "cpu_multiplies_bf16", lambda: multiplies)
    model = build("resnet10t", 10, 32)
    assert training_precision(model, 32, device) == expected
    monkeypatch.setattr(module, "is_large_and_dense", lambda *_: False)
    assert training_precision(model, 32, device) == usual
