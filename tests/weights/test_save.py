"""Saved weights are the model's, whatever their memory format, and never half a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autokd.weights.save import save_state
from autokd.zoo.build import build


def test_weights_in_any_memory_format_come_back_as_they_were(tmp_path: Path) -> None:
    model = build("test_resnet", 10, 32).to(memory_format=torch.channels_last)
    path = tmp_path / "new" / "weights.safetensors"
    save_state(path, model.state_dict())
    found = load_file(str(path))
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[key], tensor) for key, tensor in model.state_dict().items())
    assert all(tensor.is_contiguous() for tensor in found.values())
    assert next(model.parameters()).requires_grad


def test_what_cannot_be_saved_leaves_the_file_of_before(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_state(path, {"a": torch.ones(2)})
    shared = torch.zeros(4)
    with pytest.raises(RuntimeError, match="share memory"):
        save_state(path, {"a": shared, "b": shared})
    assert load_file(str(path))["a"].tolist() == [1, 1]
    assert [each.name for each in tmp_path.iterdir()] == ["weights.safetensors"]
