"""A model as ONNX: input and output as they are named, and the model itself as it was."""

from __future__ import annotations

import onnx
import pytest
import torch
from torch import nn

from autokd.zoo.build import build
from autokd.zoo.onnx_model import BATCH, INPUT, OUTPUT, convert


def test_any_number_of_images_goes_in_and_logits_come_out(capfd: pytest.CaptureFixture[str]) -> None:
    model = build("test_resnet", 5, 32).eval()
    proto = convert(model, 32)
    onnx.checker.check_model(proto)
    (images,), (logits,) = proto.graph.input, proto.graph.output
    assert (images.name, logits.name) == (INPUT, OUTPUT)
    shape = [dim.dim_param or dim.dim_value for dim in images.type.tensor_type.shape.dim]
    assert shape == [BATCH, 3, 32, 32]
    assert [dim.dim_param or dim.dim_value for dim in logits.type.tensor_type.shape.dim] == [BATCH, 5]
    assert any(getattr(module, "inplace", False) for module in model.modules())  # as it was before
    assert capfd.readouterr().out == ""


def test_a_model_that_decides_by_its_images_cannot_be_converted() -> None:
    class Picky(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean((2, 3)) if images.sum() > 0 else images.amax((2, 3))

    with pytest.raises(RuntimeError):
        convert(Picky().eval(), 32)


def test_a_model_too_large_for_a_file_is_said_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.zoo.onnx_model.LARGEST", 1_000_000)
    with pytest.raises(RuntimeError, match=r"an ONNX file holds .* of weights at most, and these are"):
        convert(build("test_resnet", 5, 32).eval(), 32)
