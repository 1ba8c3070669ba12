"""A run's cost model at another price says in fields where the price is from, and whose speeds are priced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_evidence import made_cost_model

from autokd.cost.price_table import price_of, prices
from autokd.cost.repricing import changed_model
from autokd.errors import ConfigError
from autokd.records import CostModel, Hardware, PayPerUse

RATE = {"price_per_second": 2e-5}


def row(instance: str) -> Any:
    return price_of(instance, prices())


def billed(**given: Any) -> CostModel:
    return changed_model(made_cost_model(), {**RATE, **given})


def test_the_price_of_another_machine_than_was_measured_is_borrowed() -> None:
    model = made_cost_model()
    changed = changed_model(model, {"instance": "g5.xlarge"})
    assert (changed.instance, changed.price_origin) == (row("g5.xlarge").label, "borrowed")
    assert (changed.price_source, changed.price_date) == (row("g5.xlarge").source, row("g5.xlarge").date)
    assert changed.price_range is not None
    assert changed.measured_on == model.measured_on == Hardware(name="AMD EPYC 9R14", cores=2)


def test_the_price_of_the_measured_machine_is_not_borrowed() -> None:
    changed = changed_model(made_cost_model(), {"instance": "c7a.large"})
    assert (changed.price_origin, changed.price_range) == ("table", None)
    elsewhere = changed_model(made_cost_model(), {"instance": "g6.xlarge"})
    assert changed_model(elsewhere, {"instance": "c7a.large"}) == changed


def test_a_given_price_is_of_the_hardware_that_was_measured() -> None:
    model = made_cost_model()
    for run in (model, changed_model(model, {"instance": "g6.xlarge"})):
        changed = changed_model(run, {"price_per_hour": 2.0})
        assert (changed.price_usd_per_hour, changed.price_origin, changed.price_range) == (2.0, "given", None)
        assert changed.instance == "AMD EPYC 9R14, 2 cores"


def test_an_instance_is_also_looked_up_in_a_file_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        '[[price]]\nprovider = "Rack"\ncpu = "AMD EPYC 9R14"\nsource = "invoice"\ndate = 2026-11-01\n'
        'instances = [{ name = "blade", vcpus = 2, usd_per_hour = 0.05 }]\n'
    )
    for changed in (
        changed_model(made_cost_model(), {"instance": "blade", "prices": str(own)}),
        changed_model(made_cost_model(), {"instance": "blade"}, own),
    ):
        assert (changed.price_usd_per_hour, changed.price_origin) == (0.05, "table")
    with pytest.raises(ConfigError, match="prices changes nothing here without an instance"):
        changed_model(made_cost_model(), {"prices": own})


def test_billing_by_use_takes_the_place_of_replicas_until_an_hour_has_a_price() -> None:
    model = billed(billing_increment_ms=100.0, price_per_request=2e-7)
    assert model.pay_per_use == PayPerUse(usd_per_second=2e-5, usd_per_request=2e-7, increment_ms=100.0)
    again = changed_model(model, {"billing_minimum_ms": 50.0}).pay_per_use
    assert again is not None and (again.minimum_ms, again.increment_ms) == (50.0, 100.0)
    for hourly in ({"price_per_hour": 1.0}, {"instance": "c7a.large"}, {"teacher_instance": "c7a.large"}):
        assert changed_model(model, hourly).pay_per_use is None


@pytest.mark.parametrize("name", ["utilization", "min_replicas", "peak_to_mean", "target_utilization"])
def test_settings_of_replicas_are_idle_where_requests_are_billed_by_use(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} counts only for replicas, and requests are billed by use"):
        billed(**{name: 1.0})


@pytest.mark.parametrize("name", ["price_per_request", "billing_increment_ms", "billing_minimum_ms"])
def test_settings_of_billing_by_use_are_idle_where_replicas_are_billed(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} counts only where requests are billed by use; give"):
        changed_model(made_cost_model(), {name: 1.0})


def test_the_teacher_can_have_a_machine_of_its_own() -> None:
    model = changed_model(made_cost_model(), {"teacher_instance": "c7a.xlarge"})
    assert model.price_usd_per_hour == made_cost_model().price_usd_per_hour
    assert model.for_teacher.price_usd_per_hour == row("c7a.xlarge").usd_per_hour
    assert model.for_teacher.instance == row("c7a.xlarge").label
    given = changed_model(model, {"teacher_price_per_hour": 3.0, "instance": "c7a.large"})
    assert (given.for_teacher.price_usd_per_hour, given.price_usd_per_hour) == (3.0, row("c7a.large").usd_per_hour)
    assert changed_model(given, RATE).teacher_price is None
