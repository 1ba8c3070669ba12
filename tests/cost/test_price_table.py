from datetime import date

import pytest

from autokd.cost.price_table import default_price, price_of, prices
from autokd.errors import ConfigError


def test_every_row_has_a_source_and_a_date_that_has_passed():
    for price in prices():
        assert price.source.startswith("https://")
        assert price.seen
        assert date(2025, 1, 1) < date.fromisoformat(price.date) <= date.today()
        assert 0.01 < price.usd_per_hour < 200
        assert price.instance in price.label


def test_instances_are_unique():
    names = [price.instance for price in prices()]
    assert len(names) == len(set(names))


def test_cpu_rows_cost_the_same_for_every_core():
    per_core = {round(p.usd_per_hour / p.vcpus, 6) for p in prices() if p.accelerator is None}
    assert len(per_core) == 1


def test_an_accelerator_has_its_share_of_a_larger_machine():
    price = price_of("p4d.24xlarge")
    assert price.share_usd_per_hour == pytest.approx(price.usd_per_hour / 8)
    assert "one of its 8 A100" in price.label
    assert price_of("g4dn.xlarge").share_usd_per_hour == price_of("g4dn.xlarge").usd_per_hour


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("Tesla T4", "g4dn.xlarge"),
        ("NVIDIA A10G", "g5.xlarge"),
        ("NVIDIA L4", "g6.xlarge"),
        ("NVIDIA A100-SXM4-40GB", "p4d.24xlarge"),
        ("NVIDIA A100-SXM4-80GB", "p4de.24xlarge"),
        ("NVIDIA A100 80GB PCIe", "p4de.24xlarge"),
        ("NVIDIA H100 80GB HBM3", "p5.4xlarge"),
        ("NVIDIA H200", "p5en.48xlarge"),
    ],
)
def test_gpu_names_find_their_row(name, instance):
    assert default_price("cuda:0", name, cores=16).instance == instance


@pytest.mark.parametrize(
    "name",
    ["NVIDIA L40S", "NVIDIA GeForce RTX 4090", "NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA GH200 480GB"],
)
def test_gpus_without_a_row_ask_for_a_price(name):
    with pytest.raises(ConfigError, match="price_per_hour"):
        default_price("cuda", name, cores=16)


@pytest.mark.parametrize(("cores", "vcpus"), [(1, 2), (2, 2), (3, 4), (12, 16), (64, 64), (96, 192)])
def test_cpus_take_the_smallest_machine_that_has_their_cores(cores, vcpus):
    assert default_price("cpu", None, cores).vcpus == vcpus


def test_hardware_that_is_not_in_the_table_asks_for_a_price():
    with pytest.raises(ConfigError, match="1000 cores; give price_per_hour"):
        default_price("cpu", None, 1000)
    with pytest.raises(ConfigError, match="known for mps; give price_per_hour"):
        default_price("mps", None, 8)


def test_an_unknown_instance_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"x9\.huge' is not in the price table \(c7i\.large, "):
        price_of("x9.huge")
    with pytest.raises(ConfigError, match=r"\); did you mean c7i\.large"):
        price_of("c7i.larg")
