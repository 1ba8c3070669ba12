"""The rows that come with autokd, and files of one's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from autokd.cost.price_table import of_provider, price_of, prices
from autokd.cost.processors import processor
from autokd.errors import ConfigError

GOOD = """
[[price]]
provider = "Rack"
cpu = "AMD EPYC 9654"
source = "invoice 17"
date = "2026-11-01"
instances = [{ name = "blade", vcpus = 96, usd_per_hour = 1.5 }]
"""


def test_every_row_has_a_source_and_a_date_that_has_passed() -> None:
    for price in prices():
        assert price.source.startswith("https://")
        assert price.seen
        assert price.region
        assert date(2025, 1, 1) < date.fromisoformat(price.date) <= date.today()
        assert 0.01 < price.usd_per_hour < 200
        assert price.instance in price.label
        assert (price.cpu is None) != (price.accelerator is None)


def test_there_are_cpus_of_three_vendors_and_gpus_at_three_providers() -> None:
    cpus = {(row.provider, processor(row.cpu).vendor) for row in prices() if row.cpu}
    places = {"AWS", "Google Cloud", "Azure"}
    assert cpus == {(provider, vendor) for provider in places for vendor in ("Intel", "AMD", "Arm")}
    assert {row.provider for row in prices() if row.accelerator} == places
    assert len(prices()) >= 40


def test_instances_are_unique() -> None:
    names = [price.instance for price in prices()]
    assert len(names) == len(set(names))


def test_machines_of_one_series_cost_about_the_same_for_every_vcpu() -> None:
    by_series: dict[str, list[float]] = {}
    for row in prices():
        if row.accelerator is None:
            by_series.setdefault(f"{row.provider} {row.cpu}", []).append(row.usd_per_hour / row.vcpus)
    assert all(max(each) < 1.05 * min(each) for each in by_series.values())


def test_an_accelerator_has_its_share_of_a_larger_machine() -> None:
    price = price_of("p4d.24xlarge", prices())
    assert price.share_usd_per_hour == pytest.approx(price.usd_per_hour / 8)
    assert "one of its 8 A100" in price.label
    alone = price_of("g4dn.xlarge", prices())
    assert alone.share_usd_per_hour == alone.usd_per_hour


def test_an_unknown_instance_is_answered_with_those_that_are_like_it() -> None:
    with pytest.raises(ConfigError, match=r"x9\.huge' is not in the price table; `autokd prices list` shows all"):
        price_of("x9.huge", prices())
    with pytest.raises(ConfigError, match=r"table; did you mean c7i\.large"):
        price_of("c7i.larg", prices())


def test_rows_can_be_taken_of_one_provider() -> None:
    assert {row.provider for row in of_provider(prices(), "azure")} == {"Azure"}
    with pytest.raises(ConfigError, match="has no prices; choose AWS or Google Cloud or Azure"):
        of_provider(prices(), "Nimbus")


def test_a_file_of_ones_own_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + GOOD.replace("blade", "c7i.large"))
    first, second, *rest = prices(path)
    assert (first.instance, first.label, first.own) == ("blade", "Rack blade (96 vCPUs, AMD EPYC 9654)", True)
    assert price_of("c7i.large", prices(path)) == second
    assert tuple(rest) == prices()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price", "is not valid TOML"),
        ("", "cannot be used: price is missing; docs/cost.md shows the format"),
        (GOOD.replace("provider", "provide"), "price number 1 provider is missing"),
        (GOOD + "cost = 1", "price number 1 cost is not known"),
        (GOOD.replace("vcpus", "vcpu"), "instances number 1 vcpus is missing"),
        (GOOD.replace("96,", "0,"), "vcpus: input should be greater than or equal to 1"),
        (GOOD.replace("1.5", "-1"), "usd_per_hour: input should be greater than 0"),
        (GOOD.replace("2026-11-01", "last week"), "date: it must be a day such as 2026-10-05"),
        (GOOD.replace("cpu =", "region ="), "cpu or accelerator has to say which hardware it is"),
        (GOOD.replace("cpu =", "accelerator ="), "blade needs accelerators"),
        (GOOD.replace("1.5", "1.5, accelerators = 2"), "blade needs accelerators"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        prices(path)
    assert said in str(caught.value)
    assert "bad.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read .*name an existing TOML file"):
        prices(tmp_path / "none.toml")
