"""The form in which a model answers requests: branches merged, batch norms folded.

RepVGG, RepViT, FastViT, MobileOne, LeViT and others train with parallel branches or normalisations that merge into one
convolution afterwards (Ding et al. 2021, arXiv:2101.03697): the same answers within rounding, for less work. Most other
convolutional models still have batch norms that can be folded.

Folding changes neither MACs nor activations nor the number of layers, so counts are those of the re-parameterised
model, and so are parameters: its batch norms are counted.
"""

from __future__ import annotations

import timm.utils
import torch
from torch import nn

from autokd.zoo.batch_norms import fold_batch_norms
from autokd.zoo.build import build

_MERGERS = ("fuse", "reparameterize", "switch_to_deploy")  # the methods that timm.utils.reparameterize_model calls


def served_form(model: nn.Module, image_size: int) -> nn.Module:
    """The model in evaluation mode, merged and folded: a copy, or the model itself where there is nothing to change.

    What its forward pass raises for images [batch, 3, image_size, image_size] is passed on.
    """
    merged = reparameterised(model)
    like = next(merged.parameters(), torch.empty(0))
    noise = torch.randn(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    return fold_batch_norms(merged, noise.to(like))


def merges(model: nn.Module) -> bool:
    """Whether the model has branches that only training needs."""
    return any(
        type(module).__module__.startswith("timm.") and any(hasattr(module, name) for name in _MERGERS)
        for module in model.modules()
        if module is not model
    )


def reparameterised(model: nn.Module) -> nn.Module:
    """The merged model in evaluation mode, a copy; the model itself, in evaluation mode, where nothing merges."""
    model = model.eval()
    if not merges(model):
        return model
    with torch.no_grad():
        merged: nn.Module = timm.utils.reparameterize_model(model)
    return merged.requires_grad_(False)


def parameters_of(model: nn.Module) -> int:
    """Number of weights of the re-parameterised model; the model itself is left in evaluation mode."""
    return sum(parameter.numel() for parameter in reparameterised(model).parameters())


def build_merged_on_meta(name: str, classes: int, image_size: int) -> nn.Module:
    """The shapes of a student, re-parameterised; raises UsageError as `build` does."""
    model = build(name, classes, image_size, device="meta").eval()
    if merges(model):  # merging computes with the weights, which a model on the meta device has not
        model = reparameterised(build(name, classes, image_size)).to("meta")
    return model.requires_grad_(False)
