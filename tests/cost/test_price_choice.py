"""The row of the price table that is that of the hardware at hand, and a borrowed price where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.cost.price_choice import chosen_price, price_on, price_range
from autokd.cost.price_table import price_of, prices
from autokd.errors import ConfigError
from autokd.records import Hardware, HourlyPrice

MINE = """
[[price]]
provider = "Rack"
cpu = "AMD EPYC 9R14"
source = "invoice 17"
date = 2026-11-01
instances = [{ name = "blade", vcpus = 4, usd_per_hour = 0.05 }]
"""


def on_cpu(name: str, cores: int, own: Path | None = None) -> HourlyPrice:
    return chosen_price(prices(own), Hardware(name=name, cores=cores), "cpu")


def on_gpu(name: str) -> HourlyPrice:
    return chosen_price(prices(), Hardware(name=name, cores=None), "cuda:0")


@pytest.mark.parametrize(
    ("name", "cores", "instance"),
    [
        ("Intel(R) Xeon(R) Platinum 8488C", 2, "AWS c7i.large"),
        ("Intel(R) Xeon(R) Platinum 8488C", 12, "AWS c7i.4xlarge"),
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", 4, "Google Cloud c3-highcpu-4"),
        ("INTEL(R) XEON(R) PLATINUM 8573C", 16, "Azure Standard_D16ls_v6"),
        ("AMD EPYC 9R14", 3, "AWS c7a.xlarge"),
        ("AMD EPYC 9B14", 4, "AWS c7a.xlarge"),  # of the series; AWS comes first
        ("AMD EPYC 9B14", 90, "Google Cloud c3d-highcpu-90"),
        ("AMD EPYC 7R13 Processor", 8, "AWS c6a.2xlarge"),
        ("AMD EPYC 9R45", 2, "AWS c8a.large"),
        ("Arm Neoverse V1", 8, "AWS c7g.2xlarge"),
        ("Arm Neoverse N2", 8, "Azure Standard_D8pls_v6"),
    ],
)
def test_a_cpu_takes_the_smallest_row_of_its_model_else_of_its_series(name: str, cores: int, instance: str) -> None:
    price = on_cpu(name, cores)
    assert price.instance.startswith(f"{instance} (")
    assert (price.price_origin, price.price_range) == ("table", None)


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("AMD EPYC", "AWS c7a.large"),  # a generic name tells the vendor only
        ("AMD Ryzen 9 7950X 16-Core Processor", "AWS c7a.large"),
        ("Intel(R) Xeon(R) CPU @ 2.80GHz", "AWS c7i.large"),
        ("Apple M2 Pro", "AWS c7i.large"),
    ],
)
def test_a_cpu_without_a_row_borrows_the_nearest_of_its_vendor_else_of_any(name: str, instance: str) -> None:
    price = on_cpu(name, 2)
    assert price.instance.startswith(f"{instance} (")
    assert price.price_origin == "borrowed"


def test_a_machine_of_more_than_twice_the_size_is_another() -> None:
    assert on_cpu("AMD EPYC 9R14", 65).price_origin == "table"  # c3d-highcpu-90
    price = on_cpu("Arm Neoverse V2", 80)  # the next of its series has 192
    assert price.instance.startswith("Azure Standard_D96pls_v6")
    assert price.price_origin == "borrowed"


def test_a_borrowed_price_comes_with_what_machines_of_that_kind_and_size_cost() -> None:
    row = price_of("c7a.xlarge", prices())
    found = price_range(row, prices())
    per_vcpu = [each.usd_per_hour / each.vcpus for each in prices() if each.accelerator is None]
    assert (found.low, found.high) == (4 * min(per_vcpu), 4 * max(per_vcpu))
    assert on_cpu("AMD EPYC", 4).price_range == found
    gpu = price_range(price_of("p4d.24xlarge", prices()), prices())
    assert gpu.low == price_of("g4dn.xlarge", prices()).usd_per_hour
    assert gpu.high == price_of("p6-b200.48xlarge", prices()).usd_per_hour / 8


def test_an_instance_that_was_not_measured_has_a_borrowed_price() -> None:
    measured = Hardware(name="AMD EPYC 9R14", cores=4)

    def origin(instance: str, hardware: Hardware = measured) -> str:
        return price_on(price_of(instance, prices()), hardware, prices()).price_origin

    assert [origin(name) for name in ("c7a.xlarge", "c3d-highcpu-8")] == ["table", "table"]
    assert [origin(name) for name in ("c7a.large", "c7a.8xlarge", "c7i.xlarge", "g6.xlarge")] == ["borrowed"] * 4
    gpu = Hardware(name="NVIDIA L4", cores=None)
    assert [origin(name, gpu) for name in ("g2-standard-4", "g5.xlarge", "c7i.large")] == ["table", *["borrowed"] * 2]


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("Tesla T4", "g4dn.xlarge"),
        ("NVIDIA A10G", "g5.xlarge"),
        ("NVIDIA A10", "Standard_NV36ads_A10_v5"),
        ("NVIDIA L4", "g6.xlarge"),
        ("NVIDIA L40S", "g6e.xlarge"),
        ("NVIDIA A100-SXM4-40GB", "p4d.24xlarge"),
        ("NVIDIA A100-SXM4-80GB", "p4de.24xlarge"),
        ("NVIDIA A100 80GB PCIe", "p4de.24xlarge"),
        ("NVIDIA H100 80GB HBM3", "p5.4xlarge"),
        ("NVIDIA H200", "p5en.48xlarge"),
        ("NVIDIA B200", "p6-b200.48xlarge"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "g7e.2xlarge"),
    ],
)
def test_gpu_names_find_their_row(name: str, instance: str) -> None:
    price = on_gpu(name)
    assert f" {instance} (" in price.instance
    assert price.price_origin == "table"


@pytest.mark.parametrize(
    "name",
    [
        *("NVIDIA L40", "NVIDIA GeForce RTX 4090", "NVIDIA GH200 480GB"),
        *("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA A10-4Q", "NVIDIA L4-3Q", "GRID T4-8Q"),  # slices
    ],
)
def test_gpus_without_a_row_ask_for_a_price(name: str) -> None:
    with pytest.raises(ConfigError, match="price_per_hour"):
        on_gpu(name)


def test_hardware_that_is_not_in_the_table_asks_for_a_price() -> None:
    with pytest.raises(ConfigError, match="1000 cores; give price_per_hour"):
        on_cpu("AMD EPYC", 1000)
    with pytest.raises(ConfigError, match="known for mps; give price_per_hour"):
        chosen_price(prices(), Hardware(name="Apple M2", cores=8), "mps")


def test_a_row_of_ones_own_comes_before_the_built_in_ones(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(MINE)
    fitting = on_cpu("AMD EPYC 9B14", 2, own)  # of the series only, and not the smallest
    assert (fitting.instance, fitting.price_origin) == ("Rack blade (4 vCPUs, AMD EPYC 9R14)", "table")
    assert on_cpu("AMD EPYC", 2, own).instance == fitting.instance
    assert on_cpu("AMD EPYC 9R14", 8, own).instance.startswith("AWS c7a.2xlarge")
    assert on_cpu("Intel(R) Xeon(R) Platinum 8488C", 2, own).instance.startswith("AWS c7i.large")


def test_a_row_of_ones_own_may_name_a_cpu_as_vaguely_as_it_reports_itself(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(MINE.replace("AMD EPYC 9R14", "AMD EPYC"))
    price = on_cpu("AMD EPYC", 4, own)
    assert (price.price_usd_per_hour, price.price_origin) == (0.05, "table")
    assert on_cpu("AMD EPYC 9R14", 4, own).instance.startswith("AWS c7a.xlarge")
