"""Tests of pairs against scipy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from autokd.decide.statistics import intervals
from autokd.decide.statistics.significance import holm, mcnemar

RNG = np.random.default_rng(0)


def test_mcnemar_by_hand() -> None:
    # 1 against 5: twice the chance of at most one head in six throws, 2 * (1 + 6) / 64
    assert mcnemar(1, 5) == pytest.approx(14 / 64)
    assert mcnemar([0, 3, 0], [0, 3, 10]).tolist() == pytest.approx([1, 1, 2 / 1024])


def test_mcnemar_is_the_binomial_test() -> None:
    a, b = RNG.integers(0, 40, 300), RNG.integers(0, 40, 300)
    expected = [stats.binomtest(int(x), int(x + y)).pvalue if x + y else 1.0 for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(mcnemar(a, b), expected, rtol=1e-9)
    np.testing.assert_array_equal(mcnemar(a, b), mcnemar(b, a))


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; the last rises to the one before
    assert holm([0.03, 0.01, 0.04, 0.02]).tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.4]).tolist() == pytest.approx([0.9, 0.8])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_holm_errs_no_more_often_than_one_test() -> None:
    families = RNG.random((4_000, 20))
    wrong = np.mean([holm(family).min() < 0.05 for family in families])
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4_000)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_is_scipys(level: float) -> None:
    for k, n in ((0, 10), (3, 10), (10, 10), (977, 1000), (1000, 1000)):
        expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")
        assert intervals.wilson(k / n, n, level) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_p_value_of_one_training_is_that_of_the_paired_t_test() -> None:
    a, b = RNG.random((1, 400)) < 0.9, RNG.random((1, 400)) < 0.85
    expected = stats.ttest_rel(a[0].astype(float), b[0].astype(float)).pvalue
    assert intervals.difference(a, b).p_value == pytest.approx(expected, rel=1e-6)
