"""The variance between seeds that all finalists have in common, and what it makes of a finalist's own."""

from __future__ import annotations

import numpy as np
import pytest

from autokd.decide.statistics import intervals
from autokd.decide.statistics.seed_variance import SeedVariance, common_variance
from autokd.metrics import Correct


def made(*right: int, images: int = 100) -> Correct:
    """A row a seed, so many of its images right."""
    return np.stack([np.arange(images) < count for count in right])


def test_it_is_the_mean_of_the_finalists_relative_variances_by_degrees() -> None:
    common = common_variance([made(50, 52), made(80, 80, 86), made(70)])
    assert common is not None
    first = 0.0002 / (0.51 * 0.49)  # variance of 0.50 and 0.52
    second = 0.0012 / (0.82 * 0.18)
    assert common.degrees == 3
    assert common.relative == pytest.approx((first + 2 * second) / 3)


def test_there_is_none_without_a_second_seed() -> None:
    assert common_variance([made(50), made(60)]) is None


def test_a_finalists_own_variance_is_moved_towards_the_common_one() -> None:
    common = SeedVariance(relative=0.004, degrees=8)
    assert common.moderated(0.0, 2, 0.5) == pytest.approx(0.5 * 0.001)  # two degrees of its own, two of the others
    assert common.moderated(0.0005, 6, 0.5) == pytest.approx((2 * 0.001 + 6 * 0.0005) / 8)


def test_one_whose_seeds_differ_more_is_taken_at_its_word() -> None:
    assert SeedVariance(relative=0.004, degrees=8).moderated(0.002, 6, 0.5) == 0.002


def test_it_is_worth_no_more_than_what_the_others_have_shown() -> None:
    assert [SeedVariance(0.004, degrees).prior(2) for degrees in (2, 3, 4, 9)] == [0, 1, 2, 2]
    assert SeedVariance(0.004, 2).moderated(0.002, 2, 0.5) == 0.002  # its own seeds are all there are


def test_equal_accuracies_of_all_seeds_are_no_certainty_where_others_differ() -> None:
    steady, shaky = made(90, 90, 90), made(86, 90, 94)
    alone = intervals.difference(steady, steady)
    moderated = intervals.difference(steady, steady, common=common_variance([steady, shaky, shaky]))
    assert moderated.half_width > alone.half_width


def test_the_interval_of_few_seeds_is_narrower_where_others_agree() -> None:
    rng = np.random.default_rng(0)
    finalists = [rng.random((3, 4000)) < 0.9 + rng.normal(0, 0.004, (3, 1)) for _ in range(6)]
    common = common_variance(finalists)
    pairs = [(a, b) for a in finalists for b in finalists if a is not b]
    alone = np.mean([intervals.difference(a, b).half_width for a, b in pairs])
    assert np.mean([intervals.difference(a, b, common=common).half_width for a, b in pairs]) < 0.8 * alone
    one = finalists[0]
    assert intervals.accuracy(one, common=common).mean == intervals.accuracy(one).mean
    teacher = np.ones((1, 4000), dtype=bool)
    assert intervals.retention(one, teacher, common=common).mean == pytest.approx(one.mean())
    assert intervals.difference(one, teacher, common=common).prior == 2  # the teacher has no seeds


def test_more_seeds_keep_what_the_others_tell() -> None:
    rng = np.random.default_rng(1)
    finalists = [rng.random((3, 500)) < 0.9 for _ in range(4)]
    found = intervals.difference(finalists[0], finalists[1], common=common_variance(finalists))
    assert (found.prior, found.with_more(seeds=6).prior) == (2, 2)
    assert found.with_more(seeds=6).half_width < found.half_width
