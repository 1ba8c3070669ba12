import math
import random

import pytest

from autokd.cost.timing_stats import latency, median_interval, percentile, relative_half_width


def test_percentiles_interpolate():
    assert percentile([3.0, 1.0, 2.0], 50) == 2
    assert percentile([0.0, 10.0], 95) == pytest.approx(9.5)
    assert percentile([7.0], 99) == 7


def test_latency_is_in_milliseconds():
    assert latency([0.010] * 20).p95 == pytest.approx(10)


def test_a_p99_needs_a_hundred_passes():
    assert latency([0.010] * 100).p99 == pytest.approx(10)
    assert latency([0.010] * 99).p99 is None


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6)])
def test_the_ends_are_the_tabulated_order_statistics(n, rank):
    interval = median_interval(list(range(n)))
    assert (interval.low, interval.high) == (rank - 1, n - rank)


def test_five_values_are_too_few():
    assert math.isinf(median_interval([1.0] * 5).high)


def test_the_interval_holds_the_true_median():
    draw = random.Random(0)  # noqa: S311 - a test's own draws
    true = math.exp(0)
    held = 0
    for _ in range(400):
        interval = median_interval([draw.lognormvariate(0, 1) for _ in range(12)])
        held += interval.low <= true <= interval.high
    assert held >= 0.93 * 400


def test_relative_half_width():
    interval = median_interval([9.0, 10.0, 10.0, 10.0, 10.0, 11.0])
    assert relative_half_width(interval) == pytest.approx(0.1)


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
