"""Building timm models for a number of classes and an image size.

Models with position embeddings or windows are built for one image size and take it as `img_size`. Which
ones do is in timm's own configuration of the model (`fixed_input_size`);
`timm.models.resolve_model_input_args` reads it.
"""

from __future__ import annotations

import difflib
from typing import Any, cast

import timm
import torch
from timm.models import get_arch_pretrained_cfgs, resolve_model_input_args, split_model_name_tag
from torch import nn

from autokd.errors import UsageError
from autokd.formatting import first_line
from autokd.naming import named
from autokd.zoo.scaling import arguments_of, scale_arguments
from autokd.zoo.student_name import base_name, parse

# What timm's models raise, in their constructors or in forward, for an image size that they cannot work at.
REFUSALS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)


def check_name(name: str) -> None:
    """Raise UsageError where `name` is not a student, with the nearest names of models or weights."""
    spec = parse(name)
    architecture, tag = split_model_name_tag(spec.name)
    if not timm.is_model(architecture):
        raise UsageError(f"{spec.name} is not a timm model; {_suggestion(architecture, timm.list_models())}")
    if tag and tag not in (known := get_arch_pretrained_cfgs(spec.name)):
        tags = [split_model_name_tag(full)[1] for full in known]
        if tag not in tags:
            raise UsageError(f"timm has no weights {tag!r} of {architecture}; {_suggestion(tag, tags)}")
    scale_arguments(spec)


def build(
    name: str,
    classes: int,
    image_size: int,
    device: str | torch.device = "cpu",
    pretrained: bool = False,
    drop_path: float = 0.0,
) -> nn.Module:
    """A student with a head of `classes` outputs, for images [batch, 3, image_size, image_size].

    Weights are drawn on the CPU, so that one seed gives the same ones whatever the device; on the meta device
    the model has shapes only. drop_path: probability of leaving out the last residual block in a training step, less
    for earlier ones (stochastic depth, arXiv:1603.09382); architectures without it ignore it. Raises UsageError for
    an unknown name, or for a model that cannot be built for this size. What timm raises while it fetches pretrained
    weights is passed on.
    """
    check_name(name)
    arguments = {"num_classes": classes, **build_arguments(name, image_size)}
    if drop_path and _has_drop_path(name, arguments):
        arguments["drop_path_rate"] = drop_path
    target = torch.device(device)
    if target.type == "meta":
        return _create_on_meta(name, image_size, arguments)
    if pretrained:
        _create_on_meta(name, image_size, arguments)  # its size is refused before anything is fetched
        return _model(timm.create_model(base_name(name), pretrained=True, **arguments)).to(target)
    try:
        return _model(timm.create_model(base_name(name), **arguments)).to(target)
    except REFUSALS as error:
        raise _refusal(name, image_size, error) from error


def build_arguments(name: str, image_size: int) -> dict[str, Any]:
    """What `timm.create_model` needs in addition to name and classes to rebuild it: image size and settings."""
    resolved = resolve_model_input_args(base_name(name), {"img_size": image_size})
    return arguments_of(name) | ({"img_size": image_size} if "img_size" in resolved else {})


def normalisation(
    model: str | nn.Module,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of the red, green and blue channel (0 to 1) that the model's own weights expect."""
    if isinstance(model, str):
        check_name(model)
        known: dict[str, Any] = timm.get_pretrained_cfg(base_name(model)).to_dict()
    else:
        known = cast("dict[str, Any]", model.pretrained_cfg)
    return _triple(known["mean"]), _triple(known["std"])


def head_names(model: nn.Module) -> tuple[str, ...]:
    """What the names of the head's tensors begin with."""
    head = getattr(model, "pretrained_cfg", {}).get("classifier") or ()
    return (head,) if isinstance(head, str) else tuple(head)


def reason(error: BaseException) -> str:
    """The first line of an error, short enough for a table."""
    line = first_line(error).rstrip(".")
    return line if len(line) <= 120 else line[:117] + "..."


def _has_drop_path(name: str, arguments: dict[str, Any]) -> bool:
    try:
        with torch.device("meta"):
            timm.create_model(base_name(name), **arguments, drop_path_rate=0.1)
    except REFUSALS:
        return False
    return True


def _create_on_meta(name: str, image_size: int, arguments: dict[str, Any]) -> nn.Module:
    try:
        with torch.device("meta"):
            return _model(timm.create_model(base_name(name), **arguments))
    except REFUSALS as error:
        raise _refusal(name, image_size, error) from error


def _refusal(name: str, image_size: int, error: BaseException) -> UsageError:
    return UsageError(
        f"{name} cannot be built for {image_size} px images ({reason(error)}); "
        f"choose another {named('image_size')} or another model"
    )


def _suggestion(word: str, known: list[str]) -> str:
    longer = sorted((name for name in known if name.startswith(word)), key=len)
    near = longer[:3] or difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if not near:
        return "python -c 'import timm; print(timm.list_models())' lists them all"
    return f"did you mean {' or '.join([', '.join(near[:-1]), near[-1]] if len(near) > 1 else near)}?"


def _triple(values: Any) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)


def _model(built: Any) -> nn.Module:
    assert isinstance(built, nn.Module)  # noqa: S101 - timm is untyped
    return built
