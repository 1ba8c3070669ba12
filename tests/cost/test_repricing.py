"""A run's cost model at another price says in fields where the price is from, and whose speeds are priced."""

from __future__ import annotations

from made_evidence import made_cost_model

from autokd.cost.price_table import price_of
from autokd.cost.repricing import changed_model


def test_the_price_of_another_instance_is_told_apart_from_the_speeds_of_the_measured_one() -> None:
    model = made_cost_model().model_copy(update={"instance": "box, at the speed of light"})
    row = price_of("g5.xlarge")
    changed = changed_model(model, {"instance": "g5.xlarge"})
    assert (changed.instance, changed.measured_on) == (row.label, "box, at the speed of light")
    assert (changed.price_origin, changed.price_source, changed.price_date) == ("table", row.source, row.date)
    again = changed_model(changed, {"instance": "g6.xlarge"})
    assert (again.instance, again.measured_on) == (price_of("g6.xlarge").label, "box, at the speed of light")


def test_the_measured_instance_needs_no_other_to_be_named() -> None:
    model = made_cost_model().model_copy(update={"instance": price_of("g5.xlarge").label})
    elsewhere = changed_model(model, {"instance": "g6.xlarge"})
    assert changed_model(model, {"instance": "g5.xlarge"}).measured_on is None
    assert changed_model(elsewhere, {"instance": "g5.xlarge"}).measured_on is None


def test_a_given_price_is_of_the_instance_that_was_measured() -> None:
    model = made_cost_model()
    for run in (model, changed_model(model, {"instance": "g6.xlarge"})):
        changed = changed_model(run, {"price_per_hour": 2.0})
        assert (changed.price_usd_per_hour, changed.price_origin, changed.measured_on) == (2.0, "given", None)
        assert changed.instance == model.instance
