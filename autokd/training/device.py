"""Which precision a device gains from."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from autokd.private_interfaces import cpu_has_matrix_units


def autocast(device: str) -> AbstractContextManager[object]:
    """bfloat16 autocast on a GPU, and on a CPU with matrix units for it; float32 elsewhere."""
    kind = torch.device(device).type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=gains_from_bf16(kind))


def gains_from_bf16(kind: str) -> bool:
    """True for CUDA from Ampere on, and for CPUs with AMX; without them bfloat16 is slower than float32."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return kind == "cpu" and cpu_has_matrix_units()


def resolve_device(asked: str | None) -> str:
    """The asked device, else CUDA where there is one, else the CPU."""
    return asked or ("cuda" if torch.cuda.is_available() else "cpu")
