"""Which precision a device gains from."""

from __future__ import annotations

from typing import Literal

from autokd.private_interfaces import cpu_has_matrix_units

Precision = Literal["fp32", "bf16", "fp16"]


def precision_of(device: str) -> Precision:
    """bfloat16 where the device has units for it, float16 on a GPU without (T4, V100), else float32.

    Older GPUs only emulate bfloat16, which is slower than float32 there; so it is on a CPU without AMX.
    """
    kind = device.partition(":")[0]
    if kind == "cuda":
        return "bf16" if has_bf16(device) else "fp16"
    return "bf16" if kind == "cpu" and cpu_has_matrix_units() else "fp32"


def has_bf16(device: str) -> bool:
    """Whether a CUDA device computes in bfloat16 by itself: from Ampere on, and with ROCm."""
    import torch

    return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8
