"""Too little memory: which errors mean that, what is said of them, and what is given back."""

from __future__ import annotations

import gc
import re

from autokd.formatting import file_size
from autokd.naming import named

_ASKED = re.compile(r"(?:tried to allocate|allocate) ([\d.]+) ?(bytes|[KMGTP]iB)", re.IGNORECASE)
# torch and ONNX Runtime have no class for this error of the processor's memory, so their words have to do
_OF_THE_MACHINE = (
    "can't allocate memory",
    "not enough memory",
    "Cannot allocate memory",
    "HOST_ALLOCATION_FAILED",
    "bad_alloc",
    "Failed to allocate memory",
)
# CUDA's own, and those of its libraries, which ask for memory of theirs: cuBLAS and cuSOLVER, then cuDNN
_OF_A_DEVICE = ("out of memory", "_STATUS_ALLOC_FAILED", "DEVICE_ALLOCATION_FAILED")
_UNITS = {"bytes": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pib": 1 << 50}


def is_memory(error: BaseException) -> bool:
    """Whether the memory was not enough, of the machine or of an accelerator."""
    return is_machine_memory(error) or is_device_memory(error)


def is_device_memory(error: BaseException) -> bool:
    """Whether the memory of an accelerator was not enough: a smaller batch may fit."""
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OF_A_DEVICE)


def is_machine_memory(error: BaseException) -> bool:
    """Whether the memory of the machine was not enough."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(words in str(error) for words in _OF_THE_MACHINE)


def free_memory() -> None:
    """Give back to the GPU what this process no longer needs of it; torch keeps it otherwise."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()


def too_little(said: str) -> str:
    """What was asked for, where the words of the error tell, and the options that need less."""
    options = ", ".join(named(name) for name in ("resident_gb", "batch_size", "image_size", "serve_batch_size"))
    return (
        f"there is not enough memory{asked(said)}; give a smaller {options} or {named('workers')}, "
        "or a machine with more"
    )


def asked(text: str) -> str:
    """How much was asked for, where the words of the error tell."""
    found = _ASKED.search(text)
    if found is None:
        return ""
    return f": {file_size(int(float(found[1]) * _UNITS[found[2].lower()]))} were asked for at once"
