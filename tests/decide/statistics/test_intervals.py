"""Paired statistics: values by hand, guards at the edges, and coverage on made-up predictions with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import nct, t

from autokd.decide.statistics import intervals
from autokd.decide.statistics.intervals import Estimate
from autokd.records import SeededInterval

Array = np.ndarray[Any, Any]


def rows(*texts: str) -> Array:
    """Correctness out of 0s and 1s, one text a seed."""
    return np.array([[c == "1" for c in text] for text in texts])


def test_a_difference_of_single_models_is_the_paired_t_interval() -> None:
    a, b = rows("1111011011"), rows("1010011001")
    found = intervals.difference(a, b)
    d = a[0].astype(float) - b[0]
    assert found.mean == pytest.approx(d.mean())
    half = t.ppf(0.975, 9) * np.sqrt(max(d.var(ddof=1) / 10, intervals.z_squared(0.95) / 100))
    assert found.half_width == pytest.approx(half)


def test_the_seed_part_by_hand() -> None:
    """The seed part is the variance of the seeds' means; the interaction of the two-way table is shared with images."""
    a = np.stack([np.arange(100) < k for k in (80, 86, 92)])
    b = np.zeros((3, 100), dtype=bool)
    found = intervals.difference(a, b)
    d = a.astype(float)
    rest = d - d.mean(0) - (d.mean(1) - d.mean())[:, None]
    interaction = (rest**2).sum() / (2 * 99)
    assert found.seed_part == pytest.approx(d.mean(1).var(ddof=1) / 3)
    assert found.shared == pytest.approx(interaction / 100 / 3)
    assert found.image_part == pytest.approx(d.mean(0).var(ddof=1) / 100)


def test_retention_stays_within_what_is_possible() -> None:
    estimate = Estimate(mean=0.6, image_part=1e-2, seed_part=0.2, images=100, seeds=2)
    assert estimate.interval.low < -1
    cut = estimate.cut(0.0, 1.01)
    assert (cut.low, cut.mean, cut.high) == (0.0, 0.6, 1.01)


def test_every_part_has_its_own_quantile() -> None:
    found = Estimate(mean=0.0, image_part=4e-6, seed_part=1e-6, images=1000, seeds=3)
    assert found.half_width == pytest.approx(np.sqrt(t.ppf(0.975, 999) ** 2 * 4e-6 + t.ppf(0.975, 2) ** 2 * 1e-6))
    image, seed = 2.8043, 5.6535  # noncentralities at which a t test with 999 and 2 degrees of freedom has power 0.8
    for degrees, reach in ((999, image), (2, seed)):
        assert nct.sf(t.ppf(0.975, degrees), degrees, reach) == pytest.approx(0.8, abs=1e-4)
    assert found.detectable == pytest.approx(np.sqrt(image**2 * 4e-6 + seed**2 * 1e-6), rel=1e-4)


def test_identical_predictions_have_a_difference_of_nought_and_a_width_above_nought() -> None:
    a = np.random.default_rng(0).random((3, 1000)) < 0.9
    found = intervals.difference(a, a).difference
    assert found.mean == 0
    assert 3 / 1000 < found.high < 4 / 1000  # a little over the rule of three
    assert found.low == -found.high
    assert found.detectable > 0


def test_a_difference_is_cut_to_what_accuracies_allow() -> None:
    found = intervals.difference(np.ones((1, 3), bool), np.zeros((1, 3), bool)).difference
    assert (found.mean, found.high) == (1.0, 1.0)


def test_swapping_the_arms_turns_the_sign() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 500)) < 0.9, rng.random((3, 500)) < 0.8
    one, other = intervals.difference(a, b), intervals.difference(b, a)
    assert one.mean == pytest.approx(-other.mean)
    assert one.half_width == pytest.approx(other.half_width)


def test_different_numbers_of_seeds_add_their_seed_parts() -> None:
    a = np.stack([np.arange(1000) < k for k in (800, 850, 900)])
    b = np.stack([np.arange(1000) < k for k in (700, 760)])
    found = intervals.difference(a, b)
    alone = [intervals.difference(x, np.zeros((1, 1000), bool)) for x in (a, b)]
    assert found.seed_part == pytest.approx(sum(part.seed_part for part in alone))
    assert found.seeds == 2
    assert found.mean == pytest.approx(0.85 - 0.73)


def test_a_teacher_adds_no_seed_part() -> None:
    teacher = np.arange(1000)[None] < 950
    student = np.stack([np.arange(1000) < k for k in (900, 910, 920)])
    found = intervals.difference(student, teacher)
    assert found.seeds == 3
    assert found.seed_part == pytest.approx(intervals.difference(student, np.zeros((1, 1000), bool)).seed_part)


def test_retention_is_a_ratio_with_its_delta_method_interval() -> None:
    rng = np.random.default_rng(2)
    teacher = rng.random((1, 2000)) < 0.9
    student = rng.random((1, 2000)) < 0.8
    found = intervals.retention(student, teacher)
    ratio = student.mean() / teacher.mean()
    linear = (student[0] - ratio * teacher[0]) / teacher.mean()
    assert found.mean == pytest.approx(ratio)
    assert found.half_width == pytest.approx(t.ppf(0.975, 1999) * np.sqrt(linear.var(ddof=1) / 2000))


def test_the_teacher_itself_keeps_everything() -> None:
    teacher = np.random.default_rng(0).random((1, 400)) < 0.9
    found = intervals.retention(teacher, teacher).interval
    assert found.mean == pytest.approx(1.0)
    assert 0.98 < found.low < 1 < found.high < 1.02


def test_retention_of_a_teacher_that_is_always_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="no test image right"):
        intervals.retention(np.ones((1, 5), bool), np.zeros((1, 5), bool))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_perfect_and_hopeless_accuracies_are_not_certain(share: float) -> None:
    found = intervals.accuracy(np.full((3, 300), bool(share)))
    assert found.mean == share
    z2 = intervals.z_squared(0.95)
    assert found.high - found.low == pytest.approx(z2 / (300 + z2))


def test_the_accuracy_of_one_model_has_a_wilson_interval() -> None:
    found = intervals.accuracy(np.arange(1000)[None] < 970)
    assert found.low == pytest.approx(0.9576, abs=2e-4)  # Wilson for 970 of 1,000
    assert found.high == pytest.approx(0.9789, abs=2e-4)
    assert found.seeds == 1


def test_every_further_error_lowers_both_ends() -> None:
    def found(*errors: int) -> SeededInterval:
        return intervals.accuracy(np.stack([np.arange(44) >= wrong for wrong in errors]))

    ends = [found(*errors) for errors in ((0, 0, 0), (0, 0, 1), (1, 1, 1), (2, 2, 2), (4, 4, 4))]
    assert [one.low for one in ends] == sorted((one.low for one in ends), reverse=True)
    assert [one.high for one in ends] == sorted((one.high for one in ends), reverse=True)
    assert ends[1].low > 0.9  # one error in one seed of three


@pytest.mark.parametrize("images", [44, 450])
@pytest.mark.parametrize("seeds", [1, 3])
def test_accuracies_near_100_percent_are_covered(images: int, seeds: int) -> None:
    rng = np.random.default_rng((images, seeds))
    hits, repetitions, accuracy = 0, 500, 0.97
    for _ in range(repetitions):
        alike = rng.beta(3 * accuracy, 3 * (1 - accuracy), images)
        found = intervals.accuracy(rng.random((seeds, images)) < alike)
        hits += found.low <= accuracy <= found.high
    assert hits / repetitions >= 0.93


@pytest.mark.parametrize(
    ("a", "b"),
    [((2, 5), (2, 6)), ((5,), (5,)), ((0, 5), (1, 5)), ((1, 1), (1, 1))],
)
def test_arrays_that_are_no_pair_are_refused(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="images"):
        intervals.difference(np.zeros(a, bool), np.zeros(b, bool))


def test_counts_are_not_taken_for_correctness() -> None:
    with pytest.raises(ValueError, match="true or false"):
        intervals.accuracy(np.ones((2, 5)))


def test_more_images_and_seeds_narrow_the_interval() -> None:
    found = Estimate(mean=0.01, image_part=4e-6, seed_part=1e-6, images=1000, seeds=3)
    assert found.with_more(images=4).image_part == pytest.approx(1e-6)
    assert found.with_more(seeds=6).seed_part == pytest.approx(5e-7)
    shared = Estimate(mean=0.01, image_part=4e-6, seed_part=3e-6, images=1000, seeds=3, shared=2e-6)
    assert shared.with_more(images=4).seed_part == pytest.approx(1e-6 + 2e-6 / 4)
    assert shared.with_more(images=4).shared == pytest.approx(2e-6 / 4)
    assert found.with_more(images=4, seeds=6).half_width < found.with_more(images=4).half_width < found.half_width


# ---- coverage --------------------------------------------------------------------------------------------------


def arm(rng: np.random.Generator, accuracy: float, hardness: Array, seeds: int, kind: str) -> Array:
    """Predictions of one arm: seeds differ image by image, or each as a whole with a deviation of 1 point, or both."""
    shape = (seeds, len(hardness))
    if kind == "whole":
        return hardness < accuracy + rng.normal(0, 0.01, (seeds, 1))
    limit = accuracy + rng.normal(0, 0.01, (seeds, 1)) if kind == "both" else accuracy
    dice = rng.random(shape) < 0.3
    return np.asarray(np.where(dice, rng.random(shape), hardness) < limit)


@pytest.mark.parametrize("kind", ["image by image", "whole", "both"])
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("images", [1000, 4000])
def test_intervals_cover_the_truth(images: int, seeds: int, kind: str) -> None:
    repetitions = 400
    rng = np.random.default_rng((images, seeds, len(kind)))
    hits = np.zeros(3)
    for _ in range(repetitions):
        hardness = rng.random(images)
        other = np.where(rng.random(images) < 0.2, rng.random(images), hardness)
        a, b = arm(rng, 0.93, hardness, seeds, kind), arm(rng, 0.91, other, seeds, kind)
        told = (
            (intervals.difference(a, b).interval, 0.02),
            (intervals.retention(a, hardness[None] < 0.95).interval, 0.93 / 0.95),
            (intervals.accuracy(a), 0.93),
        )
        hits += [found.low <= truth <= found.high for found, truth in told]
    assert (hits / repetitions >= 0.93).all(), hits / repetitions


@pytest.mark.parametrize(("ahead", "behind"), [(1.0, 0.0), (3.0, 0.0), (2.0, 2.0), (0.5, 0.5)])
def test_rare_disagreements_are_covered(ahead: float, behind: float) -> None:
    """So few images that tell the arms apart that often none is in the test set."""
    rng = np.random.default_rng(7)
    n, repetitions = 400, 500
    hits = 0
    for _ in range(repetitions):
        u = rng.random(n) * n
        found = intervals.difference((u < ahead)[None], ((u >= ahead) & (u < ahead + behind))[None]).interval
        hits += found.low <= (ahead - behind) / n <= found.high
    assert hits / repetitions >= 0.93


@pytest.mark.parametrize("kind", ["image by image", "whole", "both"])
def test_arms_that_are_alike_are_told_apart_in_at_most_one_of_twenty_repetitions(kind: str) -> None:
    rng = np.random.default_rng(3)
    repetitions, wrong = 2000, 0
    for _ in range(repetitions):
        hardness = rng.random(1000)
        a, b = (arm(rng, 0.92, hardness, 3, kind) for _ in range(2))
        found = intervals.difference(a, b).interval
        wrong += found.low > 0 or found.high < 0
    assert wrong / repetitions <= 0.05 + 2 * 0.0049  # two standard errors of 2,000 repetitions


@pytest.mark.parametrize("level", [0.95, 0.975])
def test_the_p_value_is_the_error_at_which_the_interval_ends_at_zero(level: float) -> None:
    found = intervals.difference(*_arms(0.94, 0.92), level)
    at_p = intervals.difference(*_arms(0.94, 0.92), 1 - found.p_value)
    assert at_p.interval.low == pytest.approx(0, abs=1e-6)
    assert (found.p_value < 1 - level) == (found.interval.low > 0)


def test_a_higher_level_gives_a_wider_interval_and_says_so() -> None:
    narrow, wide = (intervals.difference(*_arms(0.94, 0.92), level).interval for level in (0.95, 0.9875))
    assert (narrow.level, wide.level) == (0.95, 0.9875)
    assert wide.low < narrow.low < narrow.high < wide.high


def _arms(a: float, b: float) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    draw = np.random.default_rng(0)
    return draw.random((3, 2000)) < a, draw.random((3, 2000)) < b
