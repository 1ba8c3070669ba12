"""Money by hand."""

from __future__ import annotations

from math import inf

import pytest
from made_evidence import made_cost_model, made_reading

from autokd.decide import economics
from autokd.records import Interval, Policy


def test_break_even_counts_requests_not_thousands() -> None:
    assert economics.break_even_requests(22.0, 0.0025, 0.0003) == pytest.approx(10_000_000)
    assert economics.break_even_requests(0.0, 0.0025, 0.0003) == 0
    assert economics.break_even_requests(22.0, 0.0003, 0.0003) is None
    assert economics.break_even_requests(22.0, 0.0003, 0.0025) is None
    assert economics.break_even_requests(22.0, inf, 0.0025) is None  # a teacher that cannot be served


def test_the_one_time_cost_is_the_run_and_the_adoption() -> None:
    assert economics.one_time_usd(3.5, Policy(max_cost=1, adoption_usd=100)) == 103.5


def test_the_saving_needs_a_volume() -> None:
    assert economics.horizon_saving_usd(0.0025, 0.0005, Policy(max_cost=1)) is None
    policy = Policy(max_cost=1, requests_per_month=1e6, horizon_months=6)
    assert economics.horizon_saving_usd(0.0025, 0.0005, policy) == pytest.approx(12.0)
    assert economics.horizon_saving_usd(0.0005, 0.0025, policy) == pytest.approx(-12.0)


def test_a_month_costs_the_volume() -> None:
    assert economics.monthly_usd(0.0025, 1e6) == pytest.approx(2.5)
    assert economics.monthly_usd(0.0025, None) is None


@pytest.mark.parametrize(
    ("a", "b", "differ"),
    [
        (0.9, 1.0, True),
        (1.0, 0.9, True),
        (0.901, 1.0, False),
        (0.0, 0.0, False),
        (0.0, 1.0, True),
        (3e-4, 2.7e-4, True),
    ],
)
def test_costs_differ_by_a_tenth_of_the_larger(a: float, b: float, differ: bool) -> None:
    assert economics.costs_differ(a, b) is differ
    assert economics.cheaper(min(a, b), max(a, b)) is differ
    assert not economics.cheaper(max(a, b), min(a, b))


def test_another_price_moves_the_whole_interval() -> None:
    reading = made_reading("net", 0.001, 4.0, noisy=False, spread=0.1)
    found = economics.repriced(reading, made_cost_model(), made_cost_model(price_usd_per_hour=2.4))
    assert (found.low, found.mean, found.high) == pytest.approx((0.0018, 0.002, 0.0022))
    assert economics.repriced(reading, made_cost_model(), made_cost_model(utilization=0.6)).mean == pytest.approx(
        0.0005
    )


def test_a_volume_is_billed_by_whole_replicas() -> None:
    reading = made_reading("net", 0.001, 4.0, noisy=False, spread=0.0)
    found = economics.repriced(reading, made_cost_model(), made_cost_model(requests_per_month=1e6))
    assert found.mean == pytest.approx(1.2 * 730 / 1e6 * 1000)  # one replica is enough


def test_both_ends_of_a_cost_are_whole_replicas() -> None:
    """Capacities of 90 to 110 requests a second are one replica or two, and nothing between."""
    capacity = Interval(mean=100, low=90, high=110)
    reading = made_reading("net", 0.001, 4.0, noisy=False, spread=0.0).model_copy(
        update={"capacity_rps": 100.0, "capacity_interval": capacity}
    )
    one = 1.2 * 730 / 1e6 * 1000
    peak = 1e6 / (730 * 3600) * 3.0
    for target, ends in ((peak / 95, (1, 1, 2)), (peak / 89, (1, 1, 1)), (peak / 105, (1, 2, 2))):
        found = economics.repriced(
            reading, made_cost_model(), made_cost_model(requests_per_month=1e6, target_utilization=target)
        )
        assert (found.low, found.mean, found.high) == pytest.approx(tuple(n * one for n in ends))


def test_a_capacity_without_ends_takes_those_of_its_cost() -> None:
    reading = made_reading("net", 0.001, 4.0, noisy=False, spread=0.1)
    found = economics.repriced(reading, made_cost_model(), made_cost_model(requests_per_month=1e6))
    assert found.low == found.high == pytest.approx(1.2 * 730 / 1e6 * 1000)  # one replica is enough at either end


def test_a_price_by_parameters_follows_its_own_price() -> None:
    reading = made_reading("net", 0.001, None, noisy=False, spread=0.0).model_copy(
        update={"capacity_rps": None, "capacity_interval": None}
    )
    found = economics.repriced(reading, made_cost_model(), made_cost_model(usd_per_1k_per_billion=0.2))
    assert found.mean == pytest.approx(0.002)
