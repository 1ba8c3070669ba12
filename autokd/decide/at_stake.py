"""At stake: what is given up at most if an option that was not taken is the better one after all.

An option is open where the intervals do not rule out that more evidence would take it. It is found by asking the rules
again with that comparison turned the other way: where the verdict stays, nothing is at stake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from autokd import formatting as fmt
from autokd.decide.comparisons import Comparison, Offer, Student
from autokd.decide.dials import at_volume
from autokd.decide.economics import DIFFERENT, cheaper
from autokd.decide.explain import wording as say
from autokd.decide.explain.why_weak import WHY_WEAK
from autokd.decide.policy import Judgement, could_be_ahead, could_gain, decided_by_cost, half_priced, judge
from autokd.decide.policy_limits import QUALITY, affordable, could_be_good_enough, good_enough
from autokd.decide.sensitivity import Change, volume_changes
from autokd.naming import named
from autokd.records import AtStake, Policy, Verdict


@dataclass(frozen=True)
class OpenOption:
    """An option that was not taken and may be the better one.

    why: what the intervals leave open, a sentence; points: of accuracy, as a share; usd_per_1k: dollars per 1,000
    requests; both at most. by_volume: only a request volume decides, no evidence does.
    """

    why: str
    points: float
    usd_per_1k: float
    by_volume: bool = False


def at_stake(judged: Judgement, options: Sequence[OpenOption]) -> AtStake:
    """The most that any open option could be better by."""
    volume = judged.policy.requests_per_month
    usd = max((option.usd_per_1k for option in options), default=0.0)
    return AtStake(
        points=max((option.points for option in options), default=0.0),
        usd_per_1k=usd,
        usd_per_month=None if volume is None else usd * volume / 1000,
    )


def matters(judged: Judgement, option: OpenOption) -> bool:
    """Whether it is more than the policy lets pass: `max_regret` in accuracy, a tenth in cost."""
    return _accuracy_matters(judged, option.points) or _money_matters(judged, option.usd_per_1k)


def _accuracy_matters(judged: Judgement, points: float) -> bool:
    return points > judged.policy.max_regret


def _money_matters(judged: Judgement, usd_per_1k: float) -> bool:
    chosen = (judged.pick or judged.comparison.teacher).cost.mean
    return isfinite(chosen) and usd_per_1k >= DIFFERENT * chosen


def open_options(
    judged: Judgement, found: Sequence[Change] | None = None, volumes: bool = True
) -> tuple[OpenOption, ...]:
    """All of them, those that only a volume decides if asked for.

    found: what would change the verdict, where that is known already.
    """
    return (*_refused(judged), *_contested(judged), *(_unpaid(judged, found) if volumes else ()))


# ---- refused as not good enough --------------------------------------------------------------------------------


def _refused(judged: Judgement) -> Iterator[OpenOption]:
    """Finalists refused though their intervals do not rule them out, where their admission changes the verdict."""
    alone = [({s.number}, s) for s in judged.comparison.students if _undecided(judged, s)]
    together = {number for numbers, _ in alone for number in numbers}
    matter = [(numbers, s) for numbers, s in alone if _admitting(judged, numbers) != judged.verdict]
    if not matter and _admitting(judged, together) != judged.verdict:
        matter = [(together, s) for _, s in alone]
    if not matter:
        return
    admitted, likely = max(matter, key=lambda pair: (pair[1].retention.mean, -pair[1].number))
    others = f" (and {len(matter) - 1} more)" if len(matter) > 1 else ""
    demand = _open_demand(likely, judged.policy, _share_to_keep(judged, likely))
    verdict = fmt.CONCLUSIONS[_admitting(judged, admitted)]
    why = WHY_WEAK["refused"].format(
        number=likely.number, name=likely.name, others=others, demand=demand, verdict=verdict
    )
    students = [student for _, student in matter]
    yield OpenOption(why, max(_better(judged, s) for s in students), max(_saves(judged, s) for s in students))


def _undecided(judged: Judgement, student: Student) -> bool:
    """Whether a student was refused for what its intervals leave open."""
    refused, share = student.number not in judged.worthwhile, _share_to_keep(judged, student)
    asked = judged.policy.model_copy(update={"min_retention": share})
    open_ = could_be_good_enough(student, asked) and not good_enough(student, asked)
    return refused and affordable(student, asked) and open_


def _share_to_keep(judged: Judgement, student: Student) -> float:
    """The retention that would make a student count: all of it where nothing else says that it pays."""
    unpaid = judged.teacher_eligible and judged.policy.requests_per_month is None
    dear = unpaid and not half_priced(student, judged.comparison)
    return max(judged.policy.min_retention, 1.0 if dear else 0.0)


def _open_demand(student: Student, policy: Policy, share: float) -> str:
    """The first limit that a student is not shown to meet, where `share` is the retention that it needs."""
    asked = policy.model_copy(update={"min_retention": share})
    return next(limit.open_demand(student, asked) for limit in QUALITY if not limit.is_met(student, asked))


def _admitting(judged: Judgement, numbers: set[int]) -> Verdict:
    return judge(judged.comparison, judged.policy, numbers).verdict


# ---- distilled or not ------------------------------------------------------------------------------------------


def _contested(judged: Judgement) -> Iterator[OpenOption]:
    """Between the picks: what is not taken because something is not shown, or could be better though it is not."""
    distilled, direct = judged.distilled, judged.direct
    if judged.unproven and distilled and could_gain(judged.comparison, distilled):
        yield _distilled(judged, distilled, _better(judged, distilled), _saves(judged, distilled))
    if not (distilled and direct and judged.advantage is not None):
        return
    ends = judged.advantage.difference
    if judged.verdict == "use_small_model" and could_gain(judged.comparison, distilled):
        open_ = could_be_ahead(judged.comparison, judged.policy, distilled, direct)
        yield _distilled(judged, distilled, max(ends.high, 0.0), _saves(judged, distilled) if open_ else 0.0)
    elif judged.verdict == "distill" and ends.low < 0:
        yield OpenOption(WHY_WEAK["direct"].format(points=_points(-ends.low)), -ends.low, 0.0)


def _distilled(judged: Judgement, distilled: Student, points: float, usd_per_1k: float) -> OpenOption:
    """The distilled pick that was not taken: what matters of what it could be better by, and what is not shown."""
    volume = judged.policy.requests_per_month
    usd, per = (usd_per_1k, "per 1,000 requests") if volume is None else (usd_per_1k * volume / 1000, "a month")
    accurate = WHY_WEAK["accurate"].format(points=_points(points))
    cheap = WHY_WEAK["cheap"].format(usd=fmt.usd(usd), per=per)
    better = [accurate] if _accuracy_matters(judged, points) else []
    better += [cheap] if _money_matters(judged, usd_per_1k) else []
    why = WHY_WEAK["distilled"].format(
        number=distilled.number,
        name=distilled.name,
        better=fmt.listed(better or [accurate, cheap]),  # where neither matters nobody is told
        chosen="the direct pick" if judged.pick else "the teacher",
        unshown=_unshown(judged, distilled),
    )
    return OpenOption(why, points, usd_per_1k)


def _unshown(judged: Judgement, distilled: Student) -> str:
    """Why it was not taken."""
    direct, gain = judged.direct, unshown_gain(judged.comparison, distilled)
    if direct and decided_by_cost(judged.policy, distilled, direct) and direct.cost.mean < distilled.cost.mean:
        return WHY_WEAK["savings"]
    if gain or judged.advantage is None:
        return gain
    return WHY_WEAK["advantage"].format(interval=say.points_range(judged.advantage.difference))


def unshown_gain(comparison: Comparison, distilled: Student) -> str:
    """That a finalist's gain from distilling is not shown, in a sentence; empty where it is."""
    twin = comparison.twin_of(distilled)
    if twin is None:
        return WHY_WEAK["no_twin"]
    gain = comparison.differences[distilled.number, twin.number]
    shown = gain.interval.low > 0
    return "" if shown else WHY_WEAK["gain"].format(interval=say.points_range(gain.difference))


def _points(share: float) -> str:
    return fmt.points(share).removeprefix("+")


# ---- whether it pays -------------------------------------------------------------------------------------------


def _unpaid(judged: Judgement, found: Sequence[Change] | None) -> Iterator[OpenOption]:
    """A cheaper student that was passed over only because nobody said how many requests there are."""
    if judged.policy.requests_per_month is not None or not judged.teacher_eligible:
        return
    passed_over = {s.number for s in judged.comparison.students if _could_pay(judged, s)}
    open_ = passed_over - judged.eligible
    for admitted in (set[int](), open_) if open_ else (set[int](),):
        if not passed_over:
            return
        known = found is not None and not admitted
        along = found if known and found is not None else volume_changes(judged.comparison, judged.policy, admitted)
        for change in along:
            if change.dial != "volume":
                continue
            pick = at_volume(judged.comparison, judged.policy, change.region.near, admitted).pick
            if pick is not None and pick.number in passed_over and change.region.verdict != judged.verdict:
                today = judged.comparison.student(pick.number)  # at the cost without a volume
                why, decided = _volume_sentence(judged, today, change), pick.number in judged.eligible
                yield OpenOption(why, 0.0, _saves(judged, today), by_volume=decided)
                return


def _could_pay(judged: Judgement, student: Student) -> bool:
    """Whether a volume could make a student worthwhile that nothing else rules out."""
    return (
        affordable(student, judged.policy)
        and could_be_good_enough(student, judged.policy)
        and student.number not in judged.worthwhile
        and cheaper(student.cost.mean, judged.comparison.teacher.cost.mean)
    )


def _volume_sentence(judged: Judgement, student: Student, change: Change) -> str:
    known = {"name": student.name, "number": student.number, "clause": change.clause}
    setting = named("requests_per_month")
    if student.number in judged.eligible:
        return WHY_WEAK["unpaid"].format(**known, setting=setting)
    demand = _open_demand(student, judged.policy, judged.policy.min_retention)
    return WHY_WEAK["refused_unpaid"].format(**known, demand=demand, setting=setting)


# ---- what an option could be better by -------------------------------------------------------------------------


def _better(judged: Judgement, student: Student) -> float:
    """Points of accuracy that a student could have more than what was chosen."""
    chosen: Offer = judged.pick or judged.comparison.teacher
    differences, pair = judged.comparison.differences, (student.number, chosen.number or 0)
    if judged.pick is not None and pair in differences:
        most = differences[pair].difference.high
    elif judged.pick is not None and pair[::-1] in differences:
        most = -differences[pair[::-1]].difference.low
    else:
        most = (student.retention.high - chosen.retention.mean) * judged.comparison.teacher_accuracy.mean
    return max(most, 0.0)


def _saves(judged: Judgement, student: Student) -> float:
    """Dollars per 1,000 requests that a student could cost less than what was chosen."""
    chosen: Offer = judged.pick or judged.comparison.teacher
    if not (isfinite(chosen.cost.high) and cheaper(student.cost.mean, chosen.cost.mean)):
        return 0.0
    return max(chosen.cost.high - student.cost.low, 0.0)
