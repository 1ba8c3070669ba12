"""How much more evidence would settle a comparison: seeds, test images, or neither."""

from __future__ import annotations

from collections.abc import Callable

from autokd.decide.statistics import Estimate
from autokd.decide.wording import rounded_out

MOST_SEEDS = 20
MOST_IMAGES = 1000.0  # times what there is


def settled_by(estimate: Estimate, limit: float) -> str:
    """A clause that says what would take the interval off `limit`, were the mean to stay where it is."""
    gap = abs(estimate.mean - limit)
    ways = [way for way in (_seeds(estimate, gap), _images(estimate, gap)) if way]
    if ways:
        return f"about {' or '.join(ways)} would settle it"
    both = _images(estimate.with_more(seeds=MOST_SEEDS), gap) if estimate.seeds > 1 else None
    if both:
        return f"about {MOST_SEEDS} seeds and {both} together would settle it"
    return "it lies so close to the limit that no affordable number of seeds or test images would settle it"


def _seeds(estimate: Estimate, gap: float) -> str | None:
    """The number of seeds that suffices on the same test images."""
    if estimate.seeds < 2:
        return None
    enough = (n for n in range(estimate.seeds + 1, MOST_SEEDS + 1) if estimate.with_more(seeds=n).half_width < gap)
    found = next(enough, None)
    return None if found is None else f"{found} seeds"


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
