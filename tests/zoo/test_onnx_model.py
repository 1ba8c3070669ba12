"""A model as ONNX: input and output as they are named, and the model itself as it was."""

from __future__ import annotations

import copy

import onnx
import pytest
import torch
from torch import nn

from autokd.zoo import onnx_model
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


def tiny() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def test_a_model_is_converted_once_and_another_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    exported: list[nn.Module] = []

    def counted(model: nn.Module, image_size: int) -> onnx.ModelProto:
        exported.append(model)
        return real(model, image_size)

    real = onnx_model._converted
    monkeypatch.setattr(onnx_model, "_converted", counted)
    monkeypatch.setattr(onnx_model, "_last", None)
    model = tiny()
    first = convert(model, 32)
    before = first.SerializeToString()
    first.metadata_props.add(key="changed", value="by its owner")
    assert convert(copy.deepcopy(model), 32).SerializeToString() == before
    assert len(exported) == 1

    with torch.no_grad():
        next(buffer for buffer in model.buffers() if buffer.is_floating_point())[0] += 1.0
    convert(model, 32)
    convert(model, 48)
    monkeypatch.setattr(onnx_model, "LARGEST_KEPT", 0)
    convert(tiny(), 32)
    convert(model, 48)
    assert len(exported) == 5, "too large to be kept"
