import math

import pytest

from autokd.cost.queueing import capacity_within, service_times


def p95_of_md1(rate: float, service: float) -> float:
    """Approximate p95 sojourn of the M/D/1 queue by its heavy-traffic exponential tail.

    P(wait > t) = rho exp(-eta t), with eta the root of rate (exp(eta s) - 1) = eta.
    """
    low, high = 1e-9, 50 / service
    for _ in range(200):
        middle = (low + high) / 2
        if rate * math.expm1(middle * service) < middle:
            low = middle
        else:
            high = middle
    rho = rate * service
    constant = (1 - rho) / (rho * math.exp(low * service) - 1)
    return math.log(20 * constant) / low + service if 20 * constant > 1 else service


@pytest.mark.parametrize("limit_ms", [20, 40, 80])
def test_a_batch_of_one_is_the_md1_queue(limit_ms):
    capacity = capacity_within({1: 0.010}, limit_ms)
    assert p95_of_md1(capacity, 0.010) == pytest.approx(limit_ms / 1000, rel=0.15)


def test_a_slow_model_has_no_capacity():
    assert capacity_within({1: 0.050, 8: 0.080}, 49) == 0


def test_a_limit_that_one_request_just_meets_leaves_some_capacity():
    capacity = capacity_within({1: 0.050}, 50.001)
    assert 0 < capacity < 0.1 / 0.050


def test_a_loose_limit_approaches_the_throughput():
    capacity = capacity_within({1: 0.010, 8: 0.016}, 2_000)
    assert 0.9 * 500 < capacity <= 500


def test_capacity_grows_with_the_limit_and_falls_with_the_time():
    times = {1: 0.010, 2: 0.012, 4: 0.016, 8: 0.024}
    capacities = [capacity_within(times, limit) for limit in (15, 30, 60, 120)]
    assert capacities == sorted(capacities)
    assert capacity_within({size: 2 * s for size, s in times.items()}, 30) < capacities[1]


def test_twice_the_speed_at_half_the_limit_is_twice_the_capacity():
    times = {1: 0.010, 8: 0.024}
    halved = {size: s / 2 for size, s in times.items()}
    assert capacity_within(halved, 20) == pytest.approx(2 * capacity_within(times, 40), rel=1e-6)


def test_the_simulation_repeats_itself():
    assert capacity_within({1: 0.01}, 30) == capacity_within({1: 0.01}, 30)


def test_service_times_are_interpolated():
    assert service_times({1: 1.0, 4: 4.0, 5: 5.0}) == pytest.approx([1, 2, 3, 4, 5])


def test_the_time_of_a_single_request_is_needed():
    with pytest.raises(ValueError, match="single request"):
        service_times({2: 1.0})
