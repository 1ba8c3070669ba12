"""Weights that timm publishes for its models, and the loading of weights that fit a student except for its head."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
from timm.data import ImageNetInfo
from torch import Tensor, nn

from autokd.errors import TrainingError
from autokd.zoo.build import build, build_arguments, check_name, head_names
from autokd.zoo.student_name import base_name, parse

IMAGENET = 1000  # classes


@dataclass(frozen=True)
class Published:
    """One set of weights that timm publishes; what `tag` says they were trained with is told by the report."""

    name: str  # timm's name with its tag: resnet18.a1_in1k
    tag: str
    licence: str | None  # where timm knows it
    classes: int  # of their head; 0 where they have none


def published(student: str) -> Published | None:
    """The weights of the tag in a student's name, else timm's default ones; None where there are none.

    A scaled student has none. Whether those of another patch size can be converted shows when they are loaded.
    """
    spec = parse(student)
    if spec.is_scaled:
        return None
    check_name(student)
    cfg = timm.get_pretrained_cfg(spec.name)
    if cfg is None or not cfg.has_weights:
        return None
    licence = None if cfg.license in (None, "unknown") else str(cfg.license)
    return Published(f"{cfg.architecture}.{cfg.tag}", str(cfg.tag), licence, int(cfg.num_classes))


def is_imagenet(classes: Sequence[str]) -> bool:
    """Whether the classes are ImageNet's 1,000 in ImageNet's order, named by WordNet numbers or by their words."""
    if len(classes) != IMAGENET:
        return False
    info = ImageNetInfo()
    return list(classes) in (info.label_names(), info.label_descriptions())


def build_with(student: str, classes: int, image_size: int, source: Mapping[str, Any]) -> nn.Module:
    """A student with weights that timm fetches and converts to the image size; its head is random where theirs differs.

    source: what to change in timm's description of the weights, such as `{"file": PATH}`; nothing to take them from
    where timm publishes them. What timm raises while it fetches or converts them is passed on.
    """
    build(student, classes, image_size, device="meta")  # its size is refused before anything is fetched
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of torch, of how timm converts position embeddings
        model = timm.create_model(
            base_name(student),
            pretrained=True,
            pretrained_cfg_overlay=dict(source),
            num_classes=classes,
            **build_arguments(student, image_size),
        )
    assert isinstance(model, nn.Module)  # noqa: S101 - timm is untyped
    return model


def without_head(model: nn.Module) -> dict[str, Tensor]:
    """The state of a model without the tensors of its head."""
    heads = tuple(f"{name}." for name in head_names(model))
    return {key: tensor for key, tensor in model.state_dict().items() if not key.startswith(heads)}


def start_from(model: nn.Module, path: Path) -> None:
    """Load weights that were made ready for this student; a head that they leave out stays as it was drawn.

    Raises TrainingError for a file that is damaged or of another student.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(str(path))
        missing, unexpected = model.load_state_dict(state, strict=False)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise TrainingError(f"the weights to start from in {path} cannot be used ({error})") from None
    if unexpected or set(missing) & set(without_head(model)):
        raise TrainingError(f"the weights to start from in {path} are not those of this student; remove them")
