"""How much more evidence would settle a comparison: seeds, test images, or neither."""

from __future__ import annotations

from collections.abc import Callable

from autokd.decide.explain.wording import rounded_out
from autokd.decide.statistics.intervals import Estimate
from autokd.decide.statistics.repeated_looks import look_after

MOST_SEEDS = 20
MOST_IMAGES = 1000.0  # times what there is


def settled_by(estimate: Estimate, limit: float) -> str:
    """A clause that says what would take the interval off `limit`, were the mean to stay where it is.

    More seeds are another look at the same images, whose interval is wider; more images are a search of their own.
    """
    gap = abs(estimate.mean - limit)
    seeds = seeds_to_settle(estimate, limit)
    ways = [way for way in (f"{seeds} seeds" if seeds else None, _images(estimate, gap)) if way]
    if ways:
        return f"about {' or '.join(ways)} would settle it"
    both = _images(estimate.with_more(seeds=MOST_SEEDS), gap) if estimate.seeds > 1 else None
    if both:
        return f"about {MOST_SEEDS} seeds and {both} together would settle it"
    return "it lies so close to the limit that no affordable number of seeds or test images would settle it"


def seeds_to_settle(estimate: Estimate, limit: float) -> int | None:
    """The number of seeds that suffices on the same test images; None where none does that anybody would train."""
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
    factor = _smallest(lambda times: estimate.with_more(images=times).half_width < gap)
    return f"{rounded_out(estimate.images * factor, up=True, digits=2):,.0f} test images"


def _smallest(enough: Callable[[float], bool]) -> float:
    """The smallest factor that is enough, by bisection between 1 and the most."""
    low, high = 1.0, MOST_IMAGES
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
