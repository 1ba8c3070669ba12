"""The layout in which models are trained: channels last, but where that gives wrong gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn

ONEDNN_BLOCK = 16  # channels that oneDNN takes at once with AVX-512; 8 with AVX2


def with_channels_last(model: nn.Module, device: str) -> nn.Module:
    """The model itself, on the device, its weights with channels last.

    On x86 CPUs oneDNN writes past its memory where it computes the gradient of a 1x1 convolution with a stride and
    fewer input channels than a block (github.com/uxlfoundation/oneDNN/issues/6035): wrong gradients, a crash, or no
    end. RepVGG, FastViT, MobileOne and others begin with one. Such a convolution gets its images and weights with
    channels first.
    """
    model = model.to(device).to(memory_format=torch.channels_last)
    if torch.device(device).type == "cpu":
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and _is_unsafe(module):
                module.weight.data = torch.empty(module.weight.shape, dtype=module.weight.dtype).copy_(module.weight)
                module.register_forward_pre_hook(_channels_first)
    return model


def _is_unsafe(module: nn.Conv2d) -> bool:
    few = module.in_channels // module.groups < ONEDNN_BLOCK
    return few and module.kernel_size == (1, 1) and module.stride != (1, 1)


def _channels_first(_: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (inputs[0].contiguous(),)
