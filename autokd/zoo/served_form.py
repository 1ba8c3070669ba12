"""The form in which a model answers requests.

RepVGG, RepViT, FastViT, MobileOne, LeViT and others train with parallel branches or normalisations that merge into one
convolution afterwards (Ding et al. 2021, arXiv:2101.03697): the same answers within rounding, for less work.
"""

from __future__ import annotations

import timm.utils
import torch
from torch import nn

from autokd.zoo.build import build

_MERGERS = ("fuse", "reparameterize", "switch_to_deploy")  # the methods that timm.utils.reparameterize_model calls


def merges(model: nn.Module) -> bool:
    """Whether the model's served form differs from the one that is trained."""
    return any(
        type(module).__module__.startswith("timm.") and any(hasattr(module, name) for name in _MERGERS)
        for module in model.modules()
        if module is not model
    )


def served_form(model: nn.Module) -> nn.Module:
    """The merged model in evaluation mode, a copy; the model itself, in evaluation mode, where nothing merges."""
    model = model.eval()
    if not merges(model):
        return model
    with torch.no_grad():
        served: nn.Module = timm.utils.reparameterize_model(model)
    return served.requires_grad_(False)


def served_parameters(model: nn.Module) -> int:
    """Number of weights of the served form; the model itself is left in evaluation mode."""
    return sum(parameter.numel() for parameter in served_form(model).parameters())


def build_served_on_meta(name: str, classes: int, image_size: int) -> nn.Module:
    """The shapes of a student's served form; raises UsageError as `build` does."""
    model = build(name, classes, image_size, device="meta").eval()
    if merges(model):  # merging computes with the weights, which a model on the meta device has not
        model = served_form(build(name, classes, image_size)).to("meta")
    return model.requires_grad_(False)
