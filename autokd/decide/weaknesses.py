"""Why a verdict is weak, and what is needed to decide it (docs/verdict.md).

Whether a verdict rests on a comparison is found by asking the rules again with that comparison turned the other way:
where the verdict stays, it does not rest on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, product

from autokd import formatting as fmt
from autokd.decide.comparisons import Offer, Student
from autokd.decide.economics import cheaper, within
from autokd.decide.explain import wording as say
from autokd.decide.policy import (
    Judgement,
    could_be_ahead,
    could_gain,
    half_priced,
    is_preferred,
    judge,
)
from autokd.decide.policy_limits import QUALITY, affordable, could_be_good_enough
from autokd.decide.sensitivity import Change, at_volume, volume_changes
from autokd.decide.statistics.intervals import Estimate
from autokd.decide.statistics.sample_size import needed, seeds_needed
from autokd.naming import named, set_to
from autokd.records import Interval, Policy, Verdict

LEAST_LOOKED_AT = 0.5  # share of the candidates that have to be looked at
MOST_COPIES = 0.001  # of the test images; the accuracies that are compared are no closer than that


@dataclass(frozen=True)
class Weakness:
    """Why a verdict is weak, and what is needed: `seeds` where so many of them are enough."""

    sentence: str
    seeds: int | None = None
    needs_evidence: bool = False  # an interval leaves something open, though there are seeds to judge it by


def settling_seeds(weak: Sequence[Weakness]) -> int | None:
    """Seeds of every finalist that are enough for all that is open; None where seeds alone are not."""
    if any(weakness.needs_evidence and weakness.seeds is None for weakness in weak):
        return None
    return max((weakness.seeds for weakness in weak if weakness.seeds), default=None)


def weaknesses(judged: Judgement, found: Sequence[Change] | None = None) -> tuple[Weakness, ...]:
    """None of them: the verdict is strong. `found`: what would change it, where that is known already."""
    sources = (_trouble, _test_seen, _copies, _untried, _not_looked_at, _noise, _costs)
    return (
        *(Weakness(sentence) for source in sources for sentence in source(judged)),
        *(Weakness(sentence) for sentence in _volume(judged, found)),
        *(weakness for source in (_few_seeds, _shortcomings, _contest) for weakness in source(judged)),
    )


# ---- how the evidence came about -------------------------------------------------------------------------------


def _trouble(judged: Judgement) -> Iterator[str]:
    """What went wrong in the search; an arm that was tried and has no finalist."""
    yield from (note.text for note in judged.comparison.evidence.search.notes)
    if judged.comparison.evidence.search.trials and not judged.comparison.evidence.search.notes:
        for arm in ("distill", "direct"):
            if not any(student.arm == arm for student in judged.comparison.students):
                yield f"The {arm} arm has no finalist, so there is nothing to compare. Needed: more trials."


def _test_seen(judged: Judgement) -> Iterator[str]:
    """Weights from elsewhere may have been trained on test images that were cut from training."""
    evidence = judged.comparison.evidence
    if evidence.teacher.own_weights and not evidence.task.test_is_separate:
        yield (
            f"{evidence.teacher.name} came with its own weights. It may have been trained on images that are now test "
            "images. Needed: a separate test/ folder."
        )
    own = [s.name for s in judged.picks if s.record.weights is not None and s.record.weights.as_is]
    if own and not evidence.task.test_is_separate:
        yield (
            f"The start weights of {fmt.listed(list(dict.fromkeys(own)))} are of these very classes. They may have "
            "been trained on images that are now test images. Needed: a separate test/ folder."
        )


def _copies(judged: Judgement) -> Iterator[str]:
    """What was learnt by heart counts for whoever learns by heart best."""
    for copies in judged.comparison.evidence.task.copies:
        if copies.part == "test" and copies.count > MOST_COPIES * copies.images:
            yield (
                f"{copies.count:,} of {copies.images:,} test images are copies of training images. Needed: a test part "
                "without them."
            )


def _untried(judged: Judgement) -> Iterator[str]:
    budget = judged.comparison.evidence.budget
    if budget is not None and not within(judged.policy.max_cost, budget):
        yield (
            f"The search tried no student that costs more than {fmt.usd(budget)} per 1,000 requests under these "
            f"conditions. Needed: a new search under them with {set_to('max_cost', judged.policy.max_cost)}."
        )


def _not_looked_at(judged: Judgement) -> Iterator[str]:
    search = judged.comparison.evidence.search
    if 0 < search.looked_at < LEAST_LOOKED_AT * search.candidates:
        yield (
            f"The search looked at {search.looked_at} of {search.candidates} students only. Needed: a new search with "
            "more time."
        )


def _noise(judged: Judgement) -> Iterator[str]:
    offers: list[Offer] = [judged.comparison.teacher, *(judged.picks or judged.comparison.students)]
    names = list(dict.fromkeys(offer.name for offer in offers if offer.reading.noisy))
    if names:
        which = f"measurement of {names[0]} is" if len(names) == 1 else f"measurements of {fmt.listed(names)} are"
        yield f"The cost {which} noisy. Needed: measuring again on an idle machine."


def _few_seeds(judged: Judgement) -> Iterator[Weakness]:
    rests = {s.number: s for s in (*judged.picks, judged.twin) if s is not None}
    single = [f"{s.number} ({s.name})" for s in rests.values() if s.accuracy.seeds < 2 and s.record.recipe.epochs]
    if single:
        which = "Finalist" if len(single) == 1 else "Finalists"
        yield Weakness(
            f"{which} {fmt.listed(single)} had one seed, which says nothing about other seeds. Needed: 3 seeds.", 3
        )


# ---- comparisons that an interval leaves open ------------------------------------------------------------------


def _shortcomings(judged: Judgement) -> Iterator[Weakness]:
    """Finalists refused as not good enough though their intervals do not rule it out, where their admission matters."""
    alone = [({s.number}, s) for s in judged.comparison.students if _undecided(judged, s)]
    together = {number for numbers, _ in alone for number in numbers}
    matter = [(numbers, s) for numbers, s in alone if _admitting(judged, numbers) != judged.verdict]
    if not matter and _admitting(judged, together) != judged.verdict:
        matter = [(together, s) for _, s in alone]
    if not matter:
        return
    admitted, likely = max(matter, key=lambda pair: (pair[1].retention.mean, -pair[1].number))
    others = f" (and {len(matter) - 1} more)" if len(matter) > 1 else ""
    question = _open_question(likely, judged.policy, _share_to_keep(judged, likely))
    yield Weakness(
        f"It is open whether finalist {likely.number} ({likely.name}){others} can {question.demand}. If so, the "
        f"verdict is {_admitting(judged, admitted)}. Needed: {question.needed}.",
        question.seeds,
        needs_evidence=likely.estimate.seeds > 1,
    )


def _share_to_keep(judged: Judgement, student: Student) -> float:
    """The retention that would make a student count: all of it where nothing else says that it pays."""
    unpaid = judged.teacher_eligible and judged.policy.requests_per_month is None
    dear = unpaid and not half_priced(student, judged.comparison)
    return max(judged.policy.min_retention, 1.0 if dear else 0.0)


@dataclass(frozen=True)
class Question:
    """What an interval leaves open about a student, and the evidence that is needed."""

    demand: str
    needed: str
    seeds: int | None


def _open_question(student: Student, policy: Policy, share: float) -> Question:
    """The first limit that a student is not shown to meet, where `share` is the retention that it needs."""
    asked = policy.model_copy(update={"min_retention": share})
    limit = next(limit for limit in QUALITY if not limit.is_met(student, asked))
    value, found, estimate = limit.asked(asked), limit.of(student), limit.estimate(student)
    assert value is not None and found is not None  # noqa: S101 - it is not met
    demand = f"{limit.demand.format(limit.value(value))} ({say.percent_range(found)}{limit.detail(student)})"
    if estimate is None:
        return Question(demand, "more test images", None)
    return Question(demand, needed(estimate, share), seeds_needed(estimate, share))


def _admitting(judged: Judgement, numbers: set[int]) -> Verdict:
    return judge(judged.comparison, judged.policy, numbers).verdict


def _undecided(judged: Judgement, student: Student) -> bool:
    """Whether a student was refused for what its intervals leave open."""
    policy, refused = judged.policy, student.number not in judged.worthwhile
    reaches = student.retention.high >= _share_to_keep(judged, student)
    return refused and affordable(student, policy) and could_be_good_enough(student, policy) and reaches


def _contest(judged: Judgement) -> Iterator[Weakness]:
    """The distilled pick is not taken because something is not shown; is that ruled out, or open?"""
    distilled, direct, policy = judged.distilled, judged.direct, judged.policy
    if judged.unproven and distilled and could_gain(judged.comparison, distilled):
        yield _unproven_gain(judged, distilled)
    if judged.verdict != "use_small_model" or not distilled or not direct:
        return
    if not could_be_ahead(judged.comparison, policy, distilled, direct):
        return
    if judged.gain is None or judged.gain.interval.low <= 0:
        yield _unproven_gain(judged, distilled)
    if direct == judged.twin:
        return  # the advantage is the gain
    if judged.advantage is not None and not is_preferred(judged.comparison, policy, distilled, direct):
        line = _line(policy, distilled, direct, judged.advantage.mean)
        yield Weakness(
            f"An advantage of the distilled pick of up to {_most(judged.advantage)} is not ruled out. Needed: "
            f"{needed(judged.advantage, line)}.",
            seeds_needed(judged.advantage, line),
            needs_evidence=judged.advantage.seeds > 1,
        )


def _unproven_gain(judged: Judgement, distilled: Student) -> Weakness:
    """What distilling did is open."""
    if judged.gain is None:
        return Weakness(
            f"Finalist {distilled.number} ({distilled.name}) has no twin, so the gain of distilling is unknown. "
            "Needed: the same student trained without the teacher from as many seeds."
        )
    return Weakness(
        f"A gain of up to {_most(judged.gain)} from distilling is not ruled out. Needed: {needed(judged.gain, 0.0)}.",
        seeds_needed(judged.gain, 0.0),
        needs_evidence=judged.gain.seeds > 1,
    )


def _most(estimate: Estimate) -> str:
    """The upper end of a difference."""
    return fmt.points(estimate.difference.high).removeprefix("+")


def _line(policy: Policy, distilled: Student, direct: Student, mean: float) -> float:
    """The advantage that has to be ruled in or out."""
    if cheaper(distilled.cost.mean, direct.cost.mean):
        return -policy.min_gain
    return 0.0 if mean >= policy.min_gain else policy.min_gain


def _costs(judged: Judgement) -> Iterator[str]:
    """Another verdict at costs that the readings' intervals allow."""
    for low in _subsets(judged):
        verdict = judge(judged.comparison.at_costs(_ends(low)), judged.policy).verdict
        if verdict != judged.verdict:
            yield _cost_sentence(judged, verdict)
            return


def _subsets(judged: Judgement) -> Iterator[frozenset[str]]:
    """Sets of models to be taken at the lower end of their cost: teacher, picks, and the rest as one."""
    picks = {pick.name for pick in judged.picks}
    rest = frozenset(s.name for s in judged.comparison.students) - picks
    groups = [frozenset({judged.comparison.teacher.name}), *(frozenset({name}) for name in sorted(picks)), rest]
    for taken in product((False, True), repeat=len(groups)):
        yield frozenset().union(*compress(groups, taken))


def _ends(low: frozenset[str]) -> Callable[[Offer], Interval]:
    def cost_of(offer: Offer) -> Interval:
        end = offer.cost.low if offer.name in low else offer.cost.high
        return Interval(mean=end, low=end, high=end)

    return cost_of


def _cost_sentence(judged: Judgement, verdict: Verdict) -> str:
    offers: list[Offer] = [judged.comparison.teacher, *judged.picks]
    ranges = dict.fromkeys(f"{o.name} {fmt.usd(o.cost.low)} to {fmt.usd(o.cost.high)}" for o in offers)
    remedy = "measuring longer on an idle machine"
    if judged.policy.requests_per_month is not None:
        remedy += ", or a larger request volume"
    return (
        f"Within the intervals of the costs ({fmt.listed(list(ranges))}) the verdict could also be {verdict}. "
        f"Needed: {remedy}."
    )


def _volume(judged: Judgement, found: Sequence[Change] | None) -> Iterator[str]:
    """A cheaper student that was passed over only because nobody said how many requests there are."""
    if judged.policy.requests_per_month is not None or not judged.teacher_eligible:
        return
    passed_over = {s.number for s in judged.comparison.students if _could_pay(judged, s)}
    if not passed_over:
        return
    open_ = passed_over - judged.eligible
    for admitted in (set[int](), open_) if open_ else (set[int](),):
        if found is None or admitted:
            along: Iterable[Change] = volume_changes(judged.comparison, judged.policy, admitted)
        else:
            along = (change for change in found if change.dial == "volume")
        for change in along:
            pick = at_volume(judged.comparison, judged.policy, change.region.near, admitted).pick
            if pick is not None and pick.number in passed_over and change.region.verdict != judged.verdict:
                yield _volume_sentence(judged, pick, change)
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
    name = f"{student.name} (finalist {student.number})"
    if student.number in judged.eligible:
        return (
            f"Whether {name} pays for itself depends on the request volume: {change.clause}. Needed: "
            f"{named('requests_per_month')}."
        )
    question = _open_question(student, judged.policy, judged.policy.min_retention)
    return (
        f"It is open whether {name} can {question.demand}. If so, {change.clause}. Needed: {question.needed}, and "
        f"{named('requests_per_month')}."
    )
