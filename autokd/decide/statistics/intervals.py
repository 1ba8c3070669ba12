"""Paired statistics over test images and training seeds: differences, ratios and accuracies with their intervals.

The level of an interval is 95 % unless evidence is looked at again after more seeds: see `repeated_looks.py`.

A correctness array has one row a seed and one column a test image. Two sources of chance are kept apart:

- the *image part*: with other test images the result would differ. It is the variance over images of the value that
  is averaged over seeds, divided by the number of images; what a seed changes image by image is in it already.
- the *seed part*: with other seeds the result would differ on the same images. It is the variance of the seeds' means,
  divided by the number of seeds.

What a seed changes image by image is in both; that *shared* part (the interaction mean square of the two-way table,
divided by seeds and images) must be counted once. And with two to five seeds the seed part rests on one to four degrees
of freedom. One common t quantile for the sum, with Satterthwaite's degrees of freedom, covers too rarely there, because
a seed part that happens to come out small takes the large quantile away with it (92 % in place of 95 % with three
seeds). Here each part carries its own quantile (Banerjee, Sankhya 1960; Howe, JASA 1974):

    half width^2 = t(images - 1)^2 * image part + max(0, t(seeds - 1)^2 * seed part - t(images - 1)^2 * shared)

Where the other finalists are given, the seed part is moderated by what they tell of it (seed_variance.py), and carries
more degrees of freedom.

The shared part is taken away with the quantile of images, as it stands in the image part. Taking it from the seed part
before that is multiplied, which is narrower, covers 90.8 % with three seeds where seeds differ in both ways, and called
8.3 % of really trained pairs of equals different. The price: with three seeds that differ only image by image the
interval is 1.4 times as wide, with five 1.2 times.

Arms that (almost) never disagree would get an interval of (almost) no width. The sum of squares over images is
therefore at least z^2 (3.84 at 95 %), which makes the half width z^2 / n when no image tells the arms apart: the upper
end of Wilson's interval for no event in n, a little wider than the rule of three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from math import hypot, inf, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autokd.decide.statistics.seed_variance import PRIOR_OF_ONE, SeedVariance
from autokd.metrics import Correct
from autokd.records import LEVEL, Difference, Interval, SeededInterval

Floats = NDArray[np.float64]
Values = NDArray[np.float64] | NDArray[np.int8]  # int8: -1, 0 and 1, whose squares stay in range

POWER = 0.8


@dataclass(frozen=True)
class Estimate:
    """A mean with the two parts of its variance (of the mean, not of one observation)."""

    mean: float
    image_part: float
    seed_part: float
    images: int
    seeds: int  # 1: nothing is known about other seeds, or there is none to know
    shared: float = 0.0  # what of the seed part is in the image part already
    level: float = LEVEL  # of the interval
    prior: int = 0  # degrees of freedom of the seed part beside seeds - 1: from other finalists

    @property
    def half_width(self) -> float:
        """Half of the interval."""
        return self._spread(_quantile)

    @property
    def detectable(self) -> float:
        """The smallest true value whose interval would leave 0 out in four of five repetitions."""
        return self._spread(_detectable)

    @property
    def interval(self) -> Interval:
        """Mean and both ends."""
        half = self.half_width
        return Interval(mean=self.mean, low=self.mean - half, high=self.mean + half, level=self.level)

    def cut(self, low: float, high: float) -> Interval:
        """The interval cut to values that are possible."""
        whole = self.interval
        return whole.model_copy(update={"low": max(whole.low, low), "high": min(whole.high, high)})

    @property
    def difference(self) -> Difference:
        """Mean, interval cut to what a difference of accuracies can be, and the detectable difference."""
        return Difference(**self.cut(-1.0, 1.0).model_dump(), detectable=self.detectable)

    @property
    def p_value(self) -> float:
        """The smallest error, two-sided, at which the interval would leave 0 out."""
        if self.mean == 0:
            return 1.0
        low, high = 0.0, 1.0  # errors: at `low` the interval is the wider one
        for _ in range(60):
            middle = (low + high) / 2
            wide = replace(self, level=1 - middle).half_width >= abs(self.mean)
            low, high = (middle, high) if wide else (low, middle)
        return high

    def with_more(self, *, images: float = 1.0, seeds: int | None = None, level: float | None = None) -> Estimate:
        """What to expect of `images` times as many test images and of another number of seeds, at the same mean."""
        count = seeds or self.seeds
        averaged = self.shared * (1 - self.seeds / count)  # of the image part, by the additional seeds
        return replace(
            self,
            image_part=max(self.image_part - averaged, 0.0) / images,
            seed_part=max(self.seed_part - self.shared * (1 - 1 / images), 0.0) * self.seeds / count,
            shared=self.shared / images * self.seeds / count,
            images=round(self.images * images),
            seeds=count,
            level=level or self.level,
        )

    @property
    def beyond_images(self) -> float:
        """What seeds add to the half width of the image part, in quadrature."""
        return sqrt(self._seed_square(_quantile))

    def _spread(self, reach: Callable[[int, float], float]) -> float:
        return sqrt(reach(self.images - 1, self.level) ** 2 * self.image_part + self._seed_square(reach))

    def _seed_square(self, reach: Callable[[int, float], float]) -> float:
        if self.seed_part <= 0:
            return 0.0
        seed = reach(self.seeds - 1 + self.prior, self.level) ** 2 * self.seed_part
        return max(seed - reach(self.images - 1, self.level) ** 2 * self.shared, 0.0)


def difference(a: Correct, b: Correct, level: float = LEVEL, common: SeedVariance | None = None) -> Estimate:
    """Accuracy of `a` minus that of `b`, paired image by image.

    `a` is [seeds of a, images], `b` is [seeds of b, images]. With the variance between seeds that all finalists have in
    `common`, each arm adds a seed part of its own. Without it, seeds are paired in their order where both arms have the
    same number. An arm with one row (a teacher) adds none. Raises ValueError for arrays that are no such pair.
    """
    _check(a, b)
    if common is None and len(a) == len(b):
        return _estimate(a.view(np.int8) - b.view(np.int8), 1.0, level)
    x, y = a.mean(axis=0), b.mean(axis=0)
    parts = [_arm_parts(arm, mean, common) for arm, mean in ((a, x), (b, y)) if len(arm) > 1]
    seeds = min((part.seeds for part in parts), default=1)
    return Estimate(
        mean=float(x.mean() - y.mean()),
        image_part=_image_part(x - y, 1.0, level),
        seed_part=sum((part.seed for part in parts), 0.0),
        images=a.shape[1],
        seeds=seeds,
        shared=sum((part.shared for part in parts), 0.0),
        level=level,
        prior=common.prior(seeds - 1) if common and parts else 0,
    )


def difference_of_differences(
    first: tuple[Correct, Correct], second: tuple[Correct, Correct], level: float = LEVEL
) -> Estimate:
    """(accuracy of first[0] - first[1]) - (accuracy of second[0] - second[1]), paired image by image and seed by seed.

    All four are [seeds, images]; where they have different numbers of seeds, the first ones that all have are taken.
    The interval is not cut to what a difference of two accuracies can be.
    """
    arrays = (*first, *second)
    for each in arrays[1:]:
        _check(arrays[0], each)
    seeds = min(len(each) for each in arrays)
    a, b, c, d = (each[:seeds].astype(np.int8) for each in arrays)
    return _estimate((a - b) - (c - d), 2.0, level)


def retention(student: Correct, teacher: Correct, level: float = LEVEL, common: SeedVariance | None = None) -> Estimate:
    """Student accuracy / teacher accuracy; `student` is [seeds, images], `teacher` is [1, images].

    Linearised (delta method): the variance is that of (s - R t) / mean(t), image by image.
    Raises ValueError where the teacher gets no image right.
    """
    _check(student, teacher)
    base = float(teacher.mean())
    if base == 0:
        raise ValueError("the teacher gets no test image right; retention has no meaning")
    ratio = float(student.mean()) / base
    linear = _estimate((student - ratio * teacher.mean(axis=0)) / base, 1 / base, level)
    return _moderated(replace(linear, mean=ratio), student, base, common)


def accuracy(correct: Correct, level: float = LEVEL, common: SeedVariance | None = None) -> SeededInterval:
    """Accuracy of one arm over its seeds; `correct` is [seeds, images]; `common`: see `difference`.

    The image part is Wilson's interval, so that neither 0 % nor 100 % comes out as certain; what seeds add to it is
    added to both ends in quadrature. No end leaves [0, 1].
    """
    _check(correct, correct)
    estimate = _moderated(_estimate(correct.view(np.int8), 0.0, level), correct, 1.0, common)
    p, seeds = estimate.mean, estimate.beyond_images
    low, high = wilson(p, correct.shape[1] / _design_effect(correct, level), level)
    low, high = max(p - hypot(p - low, seeds), 0.0), min(p + hypot(high - p, seeds), 1.0)
    return SeededInterval(mean=p, low=low, high=high, level=level, seeds=len(correct))


def _design_effect(correct: Correct, level: float) -> float:
    """Variance of an image's correctness averaged over seeds, as a share of that of one seed, p (1 - p).

    It is 1 where all seeds get the same images wrong. A few such images hardly tell it, so z^2 images count as if they
    were all alike.
    """
    per_image = correct.mean(axis=0)
    spread = p_variance(float(per_image.mean()))
    if spread == 0:
        return 1.0
    telling = min(np.count_nonzero(per_image < 1), np.count_nonzero(per_image > 0))
    seen = float(per_image.var()) / spread
    return float((telling * seen + z_squared(level)) / (telling + z_squared(level)))


def wilson(share: float, size: float, level: float = LEVEL) -> tuple[float, float]:
    """Both ends of Wilson's interval (JASA 1927) for a share seen in `size` independent cases."""
    z2 = z_squared(level)
    centre = (share + z2 / (2 * size)) / (1 + z2 / size)
    half = sqrt(z2 * (p_variance(share) / size + z2 / (4 * size**2))) / (1 + z2 / size)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def p_variance(p: float) -> float:
    """Variance of one image's correctness at accuracy `p`."""
    return p * (1 - p)


def _estimate(values: Values, scale: float, level: float) -> Estimate:
    per_image = values.mean(axis=0)
    seed_part, shared = _seed_parts(values, per_image)
    return Estimate(
        mean=float(per_image.mean()),
        image_part=_image_part(per_image, scale, level),
        seed_part=seed_part,
        images=values.shape[1],
        seeds=len(values),
        shared=shared,
        level=level,
    )


class _ArmParts(NamedTuple):
    """The seed part of one arm, the share of it that is in the image part, and its seeds."""

    seed: float
    shared: float
    seeds: int


def _arm_parts(correct: Correct, per_image: Floats, common: SeedVariance | None) -> _ArmParts:
    own, shared = _seed_parts(correct.view(np.int8), per_image)
    seeds = len(correct)
    if common is None:
        return _ArmParts(own, shared, seeds)
    return _ArmParts(common.moderated(own * seeds, seeds - 1, float(per_image.mean())) / seeds, shared, seeds)


def _moderated(estimate: Estimate, correct: Correct, unit: float, common: SeedVariance | None) -> Estimate:
    """With the seed part that all finalists tell; `unit`: of an accuracy in the estimate."""
    if common is None or estimate.seeds < 2:
        return estimate
    seeds = estimate.seeds
    own = estimate.seed_part * seeds * unit**2
    part = common.moderated(own, seeds - 1, float(correct.mean()), PRIOR_OF_ONE) / seeds / unit**2
    return replace(estimate, seed_part=part, prior=common.prior(seeds - 1, PRIOR_OF_ONE))


def _image_part(per_image: Floats, scale: float, level: float) -> float:
    """Variance of the mean over images; `scale` is what one image can contribute."""
    n = len(per_image)
    squares = float(np.square(per_image - per_image.mean()).sum())
    return max(squares / (n - 1) / n, z_squared(level) * scale**2 / n**2)


def _seed_parts(values: Values, per_image: Floats) -> tuple[float, float]:
    """Variance of the mean over seeds, and the share of it that is in the image part; `values` is [seeds, images].

    The interaction's sum of squares is the total less those of seeds and images, each about the grand mean.
    """
    seeds, n = len(values), len(per_image)
    if seeds == 1:
        return 0.0, 0.0
    means, grand = values.mean(axis=1), float(per_image.mean())
    total = float(np.square(values).sum()) - seeds * n * grand**2
    between_seeds = n * float(np.square(means - grand).sum())
    between_images = seeds * float(np.square(per_image - grand).sum())
    interaction = max(total - between_seeds - between_images, 0.0) / ((seeds - 1) * (n - 1))
    return between_seeds / n / (seeds - 1) / seeds, interaction / n / seeds


@lru_cache(maxsize=1024)
def _quantile(degrees: int, level: float) -> float:
    """t quantile of both ends of an interval."""
    from scipy.special import stdtrit

    return inf if degrees < 1 else float(stdtrit(float(degrees), (1 + level) / 2))


@lru_cache(maxsize=1024)
def _detectable(degrees: int, level: float) -> float:
    """The true value, in standard errors, that a t test finds in four of five repetitions: a noncentrality."""
    from scipy.special import nctdtrinc

    return inf if degrees < 1 else float(nctdtrinc(float(degrees), 1 - POWER, _quantile(degrees, level)))


@lru_cache(maxsize=64)
def z_squared(level: float) -> float:
    """Square of the normal quantile of both ends of an interval: 3.84 at 95 %."""
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2)) ** 2


def _check(a: Correct, b: Correct) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"correctness must be [seeds, images] over the same images, got {a.shape} and {b.shape}")
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(f"correctness must be true or false, got {a.dtype} and {b.dtype}")
    if min(len(a), len(b)) < 1 or a.shape[1] < 2:
        raise ValueError(f"an interval needs two test images and one seed or more, got {a.shape} and {b.shape}")
