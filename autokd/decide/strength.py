"""Strong or weak: a verdict is strong if it would come again, little is at stake, and the evidence has no flaw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import floor
from typing import TypeVar

from autokd.decide.at_stake import OpenOption, at_stake, matters, open_options
from autokd.decide.explain.why_weak import WHY_WEAK
from autokd.decide.flaws import flaws
from autokd.decide.policy import Judgement, judge
from autokd.decide.repeats import Repeats
from autokd.decide.sensitivity import Change
from autokd.formatting import rounded_out
from autokd.records import AtStake, Strength

REPEATABLE = 0.9  # share of repeats that have to end in the same verdict
MORE_SEEDS = (3, 4, 5, 6, 8, 10, 12, 16, 20)
MORE_IMAGES = (1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)  # times as many
DRAWS = 200  # of a supposed confirmation
N = TypeVar("N", int, float)


@dataclass(frozen=True)
class Sureness:
    """How sure a verdict is, in numbers and in sentences.

    weaknesses: why it is weak, none of a strong one; settles: the evidence that would make it strong, and how many
    seeds of the contenders would where seeds alone do.
    """

    repeatability: float
    at_stake: AtStake
    weaknesses: tuple[str, ...]
    settles: str | None
    settling_seeds: int | None

    @property
    def strength(self) -> Strength:
        """In one word."""
        return "weak" if self.weaknesses else "strong"


def sureness(judged: Judgement, found: Sequence[Change] | None = None, settle: bool = True) -> Sureness:
    """`found`: what would change the verdict, where that is known already; settle: ask what would make it strong."""
    repeatability = Repeats(judged.comparison).repeatability(judged.policy, judged.verdict)
    options, seen = open_options(judged, found), flaws(judged)
    told = tuple(_numbers(judged, repeatability, options))
    seeds, settles = _settled_by(judged, options) if told and settle else (None, None)
    return Sureness(repeatability, at_stake(judged, options), (*seen, *told), settles, seeds)


def _numbers(judged: Judgement, repeatability: float, options: Sequence[OpenOption]) -> Iterator[str]:
    """What the two numbers say against it."""
    if repeatability < REPEATABLE:
        yield WHY_WEAK["repeats"].format(count=floor(100 * repeatability))
    yield from (option.why for option in options if matters(judged, option))


def _is_sure(judged: Judgement, costs: bool = True) -> bool:
    """Whether both numbers are good enough; the cheaper one is asked first."""
    if any(matters(judged, option) for option in open_options(judged, volumes=False)):
        return False
    repeats = Repeats(judged.comparison, costs=costs)
    return repeats.repeatability(judged.policy, judged.verdict, DRAWS) >= REPEATABLE


# ---- what would settle it --------------------------------------------------------------------------------------


def _settled_by(judged: Judgement, options: Sequence[OpenOption]) -> tuple[int | None, str | None]:
    """Seeds that are enough, and in a sentence the seeds, the images, or whatever else is enough."""
    matter = [option for option in options if matters(judged, option)]
    if matter and all(option.by_volume for option in matter):
        return None, None  # its own sentence names the volume
    if _is_sure(judged, costs=False):
        return None, "Reading the costs again on an idle machine would settle it."
    had = max((s.accuracy.seeds for s in judged.comparison.students), default=0)
    seeds = _first([n for n in MORE_SEEDS if n > had and had > 1], lambda n: _more(judged, seeds=n))
    images = _first(MORE_IMAGES, lambda times: _more(judged, images=times))
    ways = [f"{seeds} seeds of the contenders"] if seeds else []
    ways += [_images(judged, images)] if images else []
    if ways:
        return seeds, f"About {' or '.join(ways)} would settle it."
    most = MORE_SEEDS[-1]
    both = _first(MORE_IMAGES, lambda times: _more(judged, images=times, seeds=most)) if had > 1 else None
    if both:
        return None, f"About {most} seeds together with {_images(judged, both)} would settle it."
    return None, "More seeds or test images than are affordable would be needed: the options lie too close together."


def _first(numbers: Sequence[N], enough: Callable[[N], bool]) -> N | None:
    return next((number for number in numbers if enough(number)), None)


def _more(judged: Judgement, images: float = 1.0, seeds: int = 0) -> bool:
    """Whether it would be sure after so many more."""
    return _is_sure(judge(judged.comparison.with_more(images, seeds), judged.policy))


def _images(judged: Judgement, times: float) -> str:
    count = rounded_out(times * len(judged.comparison.evidence.labels), up=True, digits=2)
    return f"{count:,.0f} test images"
