"""In which precision a teacher trains: on most devices in theirs, on some CPUs in that which suits the model.

A CPU that multiplies bfloat16 without matrix units (AVX512-BF16) gains from it on large dense layers and loses on
depthwise convolutions and on small models. It is told from the architecture, not timed, so that a training repeated on
one machine is the same.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from autokd.precision import Precision, precision_of
from autokd.private_interfaces import cpu_multiplies_bf16
from autokd.zoo.count import module_macs
from autokd.zoo.served_form import reparameterised

LEAST_MACS = 20_000_000  # for an image; smaller models lose (shvit_s1 at 32 px: 0.6 times as fast)
MOST_DEPTHWISE = 0.03  # of the MACs; efficientnet_b0 has 9 % (0.5 times as fast), convnext_tiny 2 % (1.3 times)


def training_precision(model: nn.Module, image_size: int, device: str) -> Precision:
    """Of autocast, for square images of so many pixels a side; the model is left in evaluation mode."""
    usual = precision_of(device)
    if device == "cpu" and usual == "fp32" and cpu_multiplies_bf16() and is_large_and_dense(model, image_size):
        return "bf16"
    return usual


def is_large_and_dense(model: nn.Module, image_size: int) -> bool:
    """Whether the model has many MACs, hardly any of them in depthwise convolutions."""
    macs = module_macs(model, image_size)
    return macs >= LEAST_MACS and _depthwise_macs(model, image_size) <= MOST_DEPTHWISE * macs


def _depthwise_macs(model: nn.Module, image_size: int) -> int:
    """Of the convolutions that have a filter for every channel, for one image."""
    shapes = copy.deepcopy(reparameterised(model)).to("meta").requires_grad_(False)
    found: list[int] = []

    def add(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)  # noqa: S101 - it is put on these only
        found.append(output.numel() * layer.weight[0].numel())

    for layer in shapes.modules():
        if isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels:
            layer.register_forward_hook(add)
    with torch.no_grad():
        shapes(torch.zeros(1, 3, image_size, image_size, device="meta"))
    return sum(found)
