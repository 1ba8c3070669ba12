"""Everything that autokd uses of other packages without their promise to keep it, each with a test of its own.

A test that fails here after an update of a package says what to look for a replacement of.
"""

from __future__ import annotations


def raise_recompile_limits() -> None:
    """Let torch compile one forward function for very many models and batch sizes in this process.

    torch gives up compiling after 8 versions of a function by default, and offers no public setting for that.
    """
    import torch

    torch._dynamo.config.recompile_limit = 1_000
    torch._dynamo.config.accumulated_recompile_limit = 10_000


def cpu_has_matrix_units() -> bool:
    """Whether this CPU has AMX tiles; `torch.cpu.get_capabilities` says so too, but only in newer versions of torch."""
    import torch

    return bool(torch.cpu._is_amx_tile_supported())


def cpu_multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bfloat16 (AVX512-BF16 or AMX); `torch.cpu.get_capabilities`: see above."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported()) or cpu_has_matrix_units()
