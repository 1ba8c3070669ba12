"""Writing weights: every safetensors file that autokd keeps is written here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from autokd.files import write_bytes


def save_state(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write a state dict as safetensors, whatever device and memory format its tensors have; never half of it."""
    from safetensors.torch import save

    write_bytes(path, save({key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}))
