import itertools
import math

import pytest

from autokd.cost.dollars import (
    capacity_for,
    cost_interval,
    cost_usd_per_1k,
    monthly_usd,
    params_cost,
    pay_per_use_usd_per_1k,
    replicas,
    seconds_for,
    serving_cost,
)
from autokd.records import CostModel, Interval, PayPerUse


def cost_model(**fields):
    return CostModel(
        **{
            "model": "measured",
            "price_usd_per_hour": 3.6,
            "price_source": "test",
            "price_date": "2026-01-01",
            "instance": "test",
            "train_price_usd_per_hour": 3.6,
            "utilization": 1.0,
            "device": "cpu",
            "image_size": 32,
            **fields,
        }
    )


def test_the_mission_figures():
    assert params_cost(1_000_000_000, cost_model()) == pytest.approx(0.10)
    assert params_cost(100_000_000, cost_model()) == pytest.approx(0.01)


def test_a_busy_replica():
    """$3.60 an hour is $0.001 a second; 100 requests in it cost $0.01 per 1,000."""
    assert cost_usd_per_1k(100, cost_model()) == pytest.approx(0.01)


def test_an_idle_replica_costs_more_in_proportion():
    assert cost_usd_per_1k(100, cost_model(utilization=0.25)) == pytest.approx(0.04)


def test_accelerators_multiply_the_price():
    assert cost_usd_per_1k(100, cost_model(accelerators_per_replica=4)) == pytest.approx(0.04)
    volume = cost_model(accelerators_per_replica=4, requests_per_month=1e6)
    assert monthly_usd(100, volume) == pytest.approx(4 * 3.6 * 730)


def test_a_small_volume_needs_one_replica_of_either_model():
    """A million a month is 0.4 requests a second: nothing is saved by the faster one."""
    volume = cost_model(requests_per_month=1e6)
    assert replicas(5, volume) == replicas(500, volume) == 1
    assert cost_usd_per_1k(5, volume) == cost_usd_per_1k(500, volume) == pytest.approx(3.6 * 730 / 1000)


def test_replicas_are_whole_and_cover_the_peak():
    """730 hours at 100 a second, peak 3 times that, 70 % of 100 a second each: 300 / 70 = 4.3, so 5."""
    volume = cost_model(requests_per_month=100 * 730 * 3600)
    assert replicas(100, volume) == 5
    assert monthly_usd(100, volume) == pytest.approx(5 * 3.6 * 730)


def test_the_capacity_for_a_cost_does_not_exceed_it():
    """What capacity_for names must not cost a whole replica more for the last digits of floating point."""
    for volume, price, target, count in itertools.product((7e8, 3e9), (0.3, 1.2, 7.7), (0.7, 0.9), range(1, 40)):
        model = cost_model(requests_per_month=volume, price_usd_per_hour=price, target_utilization=target)
        cost = price * 730 * count / volume * 1000
        assert cost_usd_per_1k(capacity_for(cost, model), model) <= cost * (1 + 1e-9)


def test_min_replicas():
    assert replicas(1e9, cost_model(requests_per_month=1, min_replicas=3)) == 3


@pytest.mark.parametrize("volume", [None, 1e6])
def test_a_model_that_can_serve_nothing_costs_without_end(volume):
    assert math.isinf(cost_usd_per_1k(0, cost_model(requests_per_month=volume)))


def test_a_bill_needs_a_volume():
    with pytest.raises(ValueError, match="requests_per_month"):
        monthly_usd(10, cost_model())


def test_billed_by_use_the_seconds_of_a_request_are_rounded_up():
    """A dollar for 1,000 seconds."""
    rate = PayPerUse(usd_per_second=0.001, increment_ms=100.0)
    assert pay_per_use_usd_per_1k(0.2, rate) == pytest.approx(0.2)
    assert pay_per_use_usd_per_1k(0.2001, rate) == pytest.approx(0.3)
    assert pay_per_use_usd_per_1k(0.01, rate.model_copy(update={"minimum_ms": 250.0})) == pytest.approx(0.25)
    assert pay_per_use_usd_per_1k(0.2, rate.model_copy(update={"usd_per_request": 0.0002})) == pytest.approx(0.4)


@pytest.mark.parametrize("increment", [0.001, 1.0, 100.0])
@pytest.mark.parametrize("minimum", [0.0, 250.0])
@pytest.mark.parametrize("cost", [0.05, 0.21, 0.3, 7.0])
def test_the_seconds_for_a_cost_are_the_most_that_keep_to_it(increment, minimum, cost):
    rate = PayPerUse(usd_per_second=0.001, increment_ms=increment, minimum_ms=minimum, usd_per_request=1e-5)
    seconds = seconds_for(cost, rate)
    assert seconds == 0 or pay_per_use_usd_per_1k(seconds, rate) <= cost * (1 + 1e-9)
    assert pay_per_use_usd_per_1k(max(seconds, 1e-6) + increment / 1000, rate) > cost


def test_billed_by_use_a_cost_follows_the_seconds_alone_and_not_the_capacity():
    capacity, alone = Interval(mean=100, low=90, high=110), Interval(mean=0.02, low=0.018, high=0.022)
    model = cost_model(pay_per_use=PayPerUse(usd_per_second=0.001), requests_per_month=1e9)
    cost = serving_cost(capacity, alone, model)
    assert (cost.mean, cost.low, cost.high) == pytest.approx((0.02, 0.018, 0.022))
    assert serving_cost(capacity, alone, cost_model()) == cost_interval(capacity, cost_model())
    nothing = Interval(mean=0, low=0, high=0)  # within the latency limit
    assert math.isinf(serving_cost(nothing, alone, model).mean)
    with pytest.raises(ValueError, match="served alone"):
        serving_cost(capacity, None, model)
