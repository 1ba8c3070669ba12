"""Weights from a file, loaded safely and matched to the architecture tensor by tensor."""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import re
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autokd.errors import TeacherError
from autokd.formatting import escaped
from autokd.naming import named, set_to

State = dict[str, Tensor]
_COLOUR = re.compile("\x1b\\[[0-9;]*m")  # of a terminal, in torch's messages
# what torch.load raises for a damaged file or one that is not a checkpoint, errors inside the unpickler included
UNREADABLE = (
    OSError,
    ValueError,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    pickle.UnpicklingError,
    struct.error,
)
CONTAINERS = ("state_dict_ema", "state_dict", "model_ema", "model")


def read_state(path: Path, setting: str = "teacher_weights") -> State:
    """Tensors of a safetensors file or of a PyTorch file, given as `setting`; nothing in it is executed.

    Training checkpoints of timm are unwrapped (their averaged weights first). Raises TeacherError.
    """
    if not path.is_file():
        raise TeacherError(f"{set_to(setting, path)} is not a file; name one, or use pretrained or scratch")
    try:
        content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except UNREADABLE as error:
        raise TeacherError(
            f"{set_to(setting, path)} cannot be loaded safely ({_first_line(error)}); "
            "save the state dict with safetensors or torch.save(model.state_dict(), FILE)"
        ) from None
    for key in CONTAINERS:
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    state = {str(k).removeprefix("module."): v for k, v in content.items() if isinstance(v, Tensor)}
    if not state:
        raise TeacherError(f"{set_to(setting, path)} holds no tensors; save the model's state dict and name that file")
    length = path.stat().st_size
    for key, tensor in state.items():
        if (strange := _strangeness(tensor, length)) is not None:
            raise TeacherError(
                f"{set_to(setting, path)} cannot be used: its tensor {_shown(key)} is {strange}; "
                "save the weights as plain tensors of floats"
            )
    return state


def read_class_names(path: Path) -> tuple[str, ...] | None:
    """Class names that come with the weights: in safetensors metadata, or in a timm config.json next to them."""
    names: Any = None
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
        names = _parsed(metadata.get("label_names", ""))
    if names is None:
        names = _config_json(path).get("label_names")
    return tuple(str(name) for name in names) if isinstance(names, list) else None


def read_configuration(path: Path, architecture: str) -> dict[str, Any]:
    """`pretrained_cfg` of a timm config.json next to the weights, if that is of this architecture; else empty."""
    content = _config_json(path)
    own = content.get("pretrained_cfg") if content.get("architecture") == architecture else None
    return own if isinstance(own, dict) else {}


def _config_json(path: Path) -> dict[str, Any]:
    """What lies next to the weights; empty where that is nothing of timm's."""
    config = path.parent / "config.json"
    content = _parsed(config.read_text(encoding="utf-8", errors="replace")) if config.is_file() else None
    return content if isinstance(content, dict) else {}


def _parsed(text: str) -> Any:
    """The parsed JSON; None for other text, because a file next to the weights may belong to something else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def fit_state(
    model: nn.Module,
    state: State,
    head: tuple[str, ...],
    name: str,
    advice: str | None = None,
) -> list[str]:
    """Load `state` into `model`; returns the names of head tensors left at their initial values.

    Tensors fit by name, or, where names differ (other code bases), by order and shape of all of them, as long as
    every name that both know stands in the same place. Head tensors (names starting with one of `head`) may differ in
    their first dimension. Raises TeacherError otherwise; `advice` is the next step that it names.
    """
    own = model.state_dict()
    if set(state) != set(own) and len(state) == len(own):
        state = _by_order(state, own, head)
    foreign = [key for key in state if key not in own]
    missing = [key for key in own if key not in state]
    unlike = [key for key in own if key in state and state[key].shape != own[key].shape]
    codes = [key for key in own if key in state and own[key].is_floating_point() > state[key].is_floating_point()]
    if codes:
        raise TeacherError(
            f"the weights are not those of {name}: {_shown(codes[0])} holds {state[codes[0]].dtype} instead of floats; "
            f"{advice or 'save the weights as floats, not quantized'}"
        )
    replaced = [key for key in unlike if key.startswith(head) and state[key].shape[1:] == own[key].shape[1:]]
    if foreign or missing or len(replaced) < len(unlike):
        culprit = next(iter([*missing, *foreign, *(key for key in unlike if key not in replaced)]))
        advice = advice or f"check {named('teacher')} and {named('teacher_weights')}"
        raise TeacherError(
            f"the weights are not those of {name}: {len(missing)} tensors are missing, {len(foreign)} unknown and "
            f"{len(unlike) - len(replaced)} of another shape (first: {_shown(culprit)}); {advice}"
        )
    model.load_state_dict({**state, **{key: own[key] for key in replaced}})
    return replaced


def weights_fingerprint(model: nn.Module) -> str:
    """Sixteen digits that name the exact weights."""
    return state_fingerprint(model.state_dict())


def state_fingerprint(state: State) -> str:
    """Sixteen digits that name these tensors."""
    hasher = hashlib.sha256()
    for key, tensor in sorted(state.items()):
        hasher.update(key.encode())
        hasher.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()[:16]


def _by_order(state: State, own: State, head: tuple[str, ...]) -> State:
    pairs = list(zip(own.items(), state.items(), strict=True))
    fits = all(
        (theirs == key or theirs not in own)
        and (mine.shape == given.shape or (key.startswith(head) and mine.shape[1:] == given.shape[1:]))
        for (key, mine), (theirs, given) in pairs
    )
    return {key: given for (key, _), (_, given) in pairs} if fits else state


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(str(path)))
    except SafetensorError as error:
        raise ValueError(str(error)) from None


def _read_torch(path: Path) -> dict[str, Any]:
    # timm's own checkpoints carry their arguments; torch warns of sparse tensors, which are refused
    with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__} instead of a state dict")
    return content


def _strangeness(tensor: Tensor, length: int) -> str | None:
    """Why a tensor of a file of so many bytes cannot be a weight; None where it can."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "sparse or nested"
    if tensor.is_meta:
        return "without data (on the meta device)"
    if tensor.is_quantized:
        return "quantized"
    if tensor.is_complex():
        return "complex"
    if tensor.nbytes > length:
        return f"of {tensor.nbytes:,} bytes, more than the file has"
    return None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return escaped(_COLOUR.sub("", lines[0])[:120])


def _shown(key: str) -> str:
    """The name of a tensor, which a stranger has chosen."""
    return escaped(key if len(key) <= 100 else f"{key[:60]}...{key[-30:]}")
