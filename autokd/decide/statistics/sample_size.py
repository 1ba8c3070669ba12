"""How much more evidence a comparison needs: seeds, test images, or both."""

from __future__ import annotations

from bisect import bisect_left

from autokd.decide.statistics.intervals import Estimate
from autokd.decide.statistics.repeated_looks import look_after
from autokd.formatting import rounded_out

MOST_SEEDS = 20
MOST_IMAGES = 1000.0  # times what there is


def needed(estimate: Estimate, limit: float) -> str:
    """The evidence that takes the interval off `limit`, if the mean stays: "about 9 seeds or 3,900 test images".

    More seeds are another look at the same images, whose interval is wider; more images are a search of their own.
    """
    gap = abs(estimate.mean - limit)
    seeds = seeds_needed(estimate, limit)
    ways = [way for way in (f"{seeds} seeds" if seeds else None, _images(estimate, gap)) if way]
    if ways:
        return f"about {' or '.join(ways)}"
    both = _images(estimate.with_more(seeds=MOST_SEEDS), gap) if estimate.seeds > 1 else None
    if both:
        return f"about {MOST_SEEDS} seeds together with {both}"
    return "more seeds or test images than are affordable, because it lies so close to the limit"


def seeds_needed(estimate: Estimate, limit: float) -> int | None:
    """The number of seeds that is enough on the same test images; None where that is more than anybody would train."""
    if estimate.seeds < 2:
        return None
    level, gap = look_after(estimate.level), abs(estimate.mean - limit)
    enough = (
        n
        for n in range(estimate.seeds + 1, MOST_SEEDS + 1)
        if estimate.with_more(seeds=n, level=level).half_width < gap
    )
    return next(enough, None)


def _images(estimate: Estimate, gap: float) -> str | None:
    """The number of test images that suffices from the same seeds."""
    if estimate.with_more(images=MOST_IMAGES).half_width >= gap:
        return None
    most = round(estimate.images * MOST_IMAGES)
    enough = bisect_left(
        range(most), True, lo=1, key=lambda n: estimate.with_more(images=n / estimate.images).half_width < gap
    )
    return f"{rounded_out(enough, up=True, digits=2):,.0f} test images"
