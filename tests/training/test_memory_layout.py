"""Channels last, but not where oneDNN's gradients are wrong (uxlfoundation/oneDNN issue 6035)."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from autokd.training.memory_layout import with_channels_last
from autokd.zoo.build import build


def gradient(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    model(images).square().mean().backward()
    gradient = next(model.parameters()).grad
    assert gradient is not None
    return gradient


@pytest.mark.parametrize("channels", [3, 7, 12, 16])
def test_gradients_of_strided_convolutions_of_size_one_are_right(channels: int) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, 48, 1, stride=2, bias=False)
    trained = with_channels_last(copy.deepcopy(plain), "cpu")
    for _ in range(20):
        images = torch.randn(32, channels, 32, 32)
        expected = gradient(plain, images)
        assert torch.allclose(
            gradient(trained, images.to(memory_format=torch.channels_last)), expected, rtol=1e-3, atol=1e-6
        )


def test_all_other_weights_have_channels_last() -> None:
    model = with_channels_last(build("test_resnet", 3, 32), "cpu")
    wide = [
        module.weight for module in model.modules() if isinstance(module, nn.Conv2d) and module.kernel_size > (1, 1)
    ]
    assert wide
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in wide)


@pytest.mark.parametrize("name", ["repvgg_a0", "mobileone_s0", "fastvit_t8"])
def test_a_model_with_a_branch_of_size_one_in_its_stem_is_trained(name: str) -> None:
    torch.manual_seed(0)
    model = with_channels_last(build(name, 3, 32), "cpu").train()
    images = torch.randn(8, 3, 32, 32).to(memory_format=torch.channels_last)
    for _ in range(2):
        assert gradient(model, images).isfinite().all()
