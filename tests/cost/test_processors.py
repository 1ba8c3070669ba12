"""What the name of a processor tells."""

from __future__ import annotations

import pytest

from autokd.cost.processors import Processor, processor


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("AMD EPYC 9R14 96-Core Processor", Processor("AMD", "EPYC 9004", "EPYC 9R14")),
        ("AMD EPYC 9B14", Processor("AMD", "EPYC 9004", "EPYC 9B14")),
        ("AMD EPYC 7763 64-Core Processor", Processor("AMD", "EPYC 7003", "EPYC 7763")),
        ("AMD EPYC 9V45 96-Core Processor", Processor("AMD", "EPYC 9005", "EPYC 9V45")),
        ("AMD EPYC 9005", Processor("AMD", "EPYC 9005", "EPYC 9005")),
        ("AMD EPYC", Processor("AMD")),
        ("Intel(R) Xeon(R) Platinum 8488C", Processor("Intel", "Xeon 4", "8488C")),
        ("INTEL(R) XEON(R) PLATINUM 8581C CPU @ 2.30GHz", Processor("Intel", "Xeon 5", "8581C")),
        ("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", Processor("Intel", "Xeon 2", "6230")),
        ("Intel(R) Xeon(R) 6975P-C", Processor("Intel", "Xeon 6", "6975P-C")),
        ("Intel(R) Xeon(R) CPU @ 2.80GHz", Processor("Intel")),
        ("AWS Graviton3 (Arm Neoverse V1)", Processor("Arm", "Neoverse V1")),
        ("Arm Neoverse-V2", Processor("Arm", "Neoverse V2")),
        ("Apple M2 Pro", Processor("Apple")),
        ("riscv64", Processor(None)),
    ],
)
def test_a_name_tells_vendor_series_and_model(name: str, read: Processor) -> None:
    assert processor(name) == read


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("AMD EPYC 9R14", "AMD EPYC 9R14 96-Core Processor", 2),
        ("AMD EPYC 9004", "AMD EPYC 9V74 80-Core Processor", 1),
        ("AMD EPYC 7R13", "AMD EPYC 9R14", 0),
        ("AMD EPYC 9R14", "AMD EPYC", 0),
        ("AMD EPYC", "AMD EPYC", 0),
        ("Google Axion (Arm Neoverse V2)", "Arm Neoverse V2", 1),
        ("riscv64", "riscv64", 0),
    ],
)
def test_likeness_needs_names_that_tell_the_series(one: str, other: str, alike: int) -> None:
    assert processor(one).is_like(processor(other)) == alike
    assert processor(other).is_like(processor(one)) == alike
