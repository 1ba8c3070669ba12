"""What autokd uses of other packages without their promise: it is still there and still does what it did."""

from __future__ import annotations

import pytest
import torch

from autokd.private_interfaces import cpu_has_matrix_units, cpu_multiplies_bf16, raise_recompile_limits


def test_many_versions_of_one_function_are_compiled() -> None:
    """Without the raised limit, the ninth would run uncompiled."""
    compiled = 0

    def backend(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        nonlocal compiled
        compiled += 1
        return graph

    torch.compiler.reset()
    with torch._dynamo.config.patch(recompile_limit=8, accumulated_recompile_limit=256):
        raise_recompile_limits()
        double = torch.compile(lambda x: 2 * x, backend=backend, dynamic=False)
        for size in range(2, 22):
            double(torch.zeros(size))
    torch.compiler.reset()
    assert compiled == 20


def test_matrix_units_are_those_that_torch_lists() -> None:
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this version of torch lists no capabilities")
    assert cpu_has_matrix_units() is bool(torch.cpu.get_capabilities().get("amx_tile", False))


def test_instructions_for_bfloat16_are_those_that_torch_lists() -> None:
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this version of torch lists no capabilities")
    listed = torch.cpu.get_capabilities()
    assert cpu_multiplies_bf16() is any(listed.get(name, False) for name in ("avx512_bf16", "amx_tile"))
