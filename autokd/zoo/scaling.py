"""Students between the named ones: ResNet, ConvNeXt, ViT, DeiT and Swin with other widths and depths.

What is scaled are arguments of timm's own constructors, so that a scaled student reloads from timm with them. Widths
are rounded to what the architecture divides by: 8 channels in convolutional nets, 8 for each head in transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import timm
import torch
from timm.models import model_entrypoint, split_model_name_tag

from autokd.errors import UsageError
from autokd.zoo.student_name import Spec, parse

Arguments = dict[str, Any]


def scaled_students(model: str, widths: Sequence[float], depths: Sequence[float]) -> list[str]:
    """Every combination of the factors as a student; equal ones are named once.

    Raises UsageError for a model that cannot be scaled.
    """
    found: dict[str, str] = {}
    for depth in depths:
        for width in widths:
            spec = Spec(model, width=width, depth=depth)
            found.setdefault(str(sorted(scale_arguments(spec).items())), str(spec))
    return list(found.values())


def scale_arguments(spec: Spec) -> Arguments:
    """timm's arguments for the width and depth of a student; none where it is not scaled.

    Raises UsageError for a model whose family cannot be scaled.
    """
    if not spec.is_scaled:
        return {}
    architecture = split_model_name_tag(spec.name)[0]
    family = model_entrypoint(architecture).__module__.rpartition(".")[2]
    if family not in SCALED:
        raise UsageError(f"{spec.name} cannot be scaled; width and depth are for models of {', '.join(SCALED)}")
    return SCALED[family](architecture, spec.width, spec.depth)


def can_be_scaled(family: str) -> bool:
    """Whether timm's module of this name has models that take width and depth."""
    return family in SCALED


@cache
def _built(architecture: str) -> Any:
    with torch.device("meta"):
        return timm.create_model(architecture)


def _resnet(architecture: str, width: float, depth: float) -> Arguments:
    model = _built(architecture)
    layers = [len(getattr(model, f"layer{i}")) for i in range(1, 5)]
    expansion = type(model.layer1[0]).expansion
    channels = [info["num_chs"] // expansion for info in model.feature_info[1:]]
    return {
        "layers": [_count(n, depth) for n in layers],
        "channels": [_multiple(n, width, 8) for n in channels],
    }


def _convnext(architecture: str, width: float, depth: float) -> Arguments:
    model = _built(architecture)
    return {
        "depths": [_count(len(stage.blocks), depth) for stage in model.stages],
        "dims": [_multiple(info["num_chs"], width, 8) for info in model.feature_info],
    }


def _vit(architecture: str, width: float, depth: float) -> Arguments:
    model = _built(architecture)
    attention = getattr(model.blocks[0], "attn", None)
    if attention is None:  # blocks of parallel or otherwise combined parts
        raise UsageError(f"{architecture} cannot be scaled: its blocks are not those of a plain ViT")
    return {
        "embed_dim": _multiple(model.embed_dim, width, 8 * attention.num_heads),
        "depth": _count(len(model.blocks), depth),
    }


def _swin(architecture: str, width: float, depth: float) -> Arguments:
    model = _built(architecture)
    heads = model.layers[0].blocks[0].attn.num_heads
    return {
        "embed_dim": _multiple(model.embed_dim, width, 8 * heads),
        "depths": [2 * _count(len(layer.blocks) / 2, depth) for layer in model.layers],  # plain and shifted, in pairs
    }


SCALED: dict[str, Callable[[str, float, float], Arguments]] = {
    "resnet": _resnet,
    "convnext": _convnext,
    "vision_transformer": _vit,
    "deit": _vit,
    "swin_transformer": _swin,
}


def _count(blocks: float, factor: float) -> int:
    return max(1, round(blocks * factor))


def _multiple(channels: int, factor: float, of: int) -> int:
    return max(1, round(channels * factor / of)) * of


def arguments_of(student: str) -> Arguments:
    """What `timm.create_model` takes in addition to name, classes and image size to build a student."""
    spec = parse(student)
    sizes = {key: value for key in ("output_stride", "patch_size") if (value := getattr(spec, key)) is not None}
    return {**scale_arguments(spec), **sizes}
