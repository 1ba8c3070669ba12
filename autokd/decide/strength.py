"""Why a verdict is weak, and what would settle it (design, section 5, point 6, and section 4).

Whether a verdict rests on a comparison is found by asking the rules again with that comparison turned the other way:
where the verdict stays, it does not rest on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import compress, product

from autokd.decide import wording as say
from autokd.decide.case import Offer, Student
from autokd.decide.economics import cheaper, within
from autokd.decide.rules import (
    Judgement,
    affordable,
    could_be_ahead,
    could_gain,
    could_keep_up,
    decided_by_cost,
    flips_little,
    judge,
    keeps_up,
    retains,
)
from autokd.decide.settling import seeds_to_settle, settled_by
from autokd.decide.statistics import Estimate
from autokd.records import Interval, Policy, Verdict


@dataclass(frozen=True)
class Weakness:
    """Why a verdict is weak, and what would settle it; `seeds` where more of them would."""

    sentence: str
    seeds: int | None = None


def weaknesses(judged: Judgement) -> tuple[Weakness, ...]:
    """None of them: the verdict is strong."""
    sources = (_trouble, _test_seen, _untried, _noise, _costs, _volume)
    return (
        *(Weakness(sentence) for source in sources for sentence in source(judged)),
        *(weakness for source in (_few_seeds, _shortcomings, _contest) for weakness in source(judged)),
    )


# ---- how the evidence came about -------------------------------------------------------------------------------


def _trouble(judged: Judgement) -> Iterator[str]:
    """What went wrong in the search; an arm that was tried and has no finalist."""
    yield from judged.case.evidence.search.notes
    if judged.case.evidence.search.trials and not judged.case.evidence.search.notes:
        for arm in ("distill", "direct"):
            if not any(student.arm == arm for student in judged.case.students):
                yield f"The {arm} arm has no finalist, so there is nothing to compare; more trials would settle it."


def _test_seen(judged: Judgement) -> Iterator[str]:
    """Weights from elsewhere may have been trained on test images that were cut from training."""
    evidence = judged.case.evidence
    if evidence.teacher.own_weights and not evidence.task.test_is_separate:
        yield (
            f"{evidence.teacher.name} came with its own weights and may have been trained on images that were then cut "
            "off for the test; a separate test/ folder would settle it."
        )
    own = [s.name for s in judged.picks if s.record.weights is not None and s.record.weights.as_is]
    if own and not evidence.task.test_is_separate:
        yield (
            f"The weights that {say.listed(list(dict.fromkeys(own)))} starts from are of these very classes and may "
            "have been trained on images that were then cut off for the test; a separate test/ folder would settle it."
        )


def _untried(judged: Judgement) -> Iterator[str]:
    budget = judged.case.evidence.budget
    if budget is not None and not within(judged.policy.max_cost, budget):
        yield (
            f"The search tried no student dearer than {say.usd(budget)} per 1,000 requests; "
            f"a new search with --max-cost {judged.policy.max_cost:g} would settle what the larger budget can buy."
        )


def _noise(judged: Judgement) -> Iterator[str]:
    offers: list[Offer] = [judged.case.teacher, *(judged.picks or judged.case.students)]
    names = list(dict.fromkeys(offer.name for offer in offers if offer.reading.noisy))
    if names:
        which = f"reading of {names[0]} is" if len(names) == 1 else f"readings of {say.listed(names)} are"
        yield f"The cost {which} noisy; measuring again on an idle machine would settle it."


def _few_seeds(judged: Judgement) -> Iterator[Weakness]:
    rests = {s.number: s for s in (*judged.picks, judged.twin) if s is not None}
    single = [f"{s.number} ({s.name})" for s in rests.values() if s.accuracy.seeds < 2 and s.record.recipe.epochs]
    if single:
        which = "Finalist" if len(single) == 1 else "Finalists"
        yield Weakness(
            f"{which} {say.listed(single)} had one seed, which says nothing about others; 3 seeds would settle it.", 3
        )


# ---- comparisons that an interval leaves open ------------------------------------------------------------------


def _shortcomings(judged: Judgement) -> Iterator[Weakness]:
    """Finalists refused as not good enough though their intervals do not rule it out, where their admission matters."""
    alone = [({s.number}, s) for s in judged.case.students if _undecided(s, judged.policy)]
    together = {number for numbers, _ in alone for number in numbers}
    matter = [(n, s) for n, s in alone if _admitting(judged, n) != judged.verdict]
    if not matter and _admitting(judged, together) != judged.verdict:
        matter = [(together, s) for _, s in alone]
    if not matter:
        return
    admitted, likely = max(matter, key=lambda pair: (pair[1].retention.mean, -pair[1].number))
    others = f" (and {len(matter) - 1} more)" if len(matter) > 1 else ""
    question, remedy, seeds = _open_question(likely, judged.policy)
    yield Weakness(
        f"Whether finalist {likely.number} ({likely.name}){others} {question}; if it does, the verdict is "
        f"{_admitting(judged, admitted)}; {remedy}.",
        seeds,
    )


def _open_question(student: Student, policy: Policy) -> tuple[str, str, int | None]:
    """What is open about a student, what would settle it, and the seeds that would."""
    if not retains(student, policy):
        kept = f"keeps {say.percent(policy.min_retention)} of the teacher's accuracy is open"
        question = f"{kept} ({say.percent_range(student.retention)})"
        limit = policy.min_retention
        return question, settled_by(student.estimate, limit), seeds_to_settle(student.estimate, limit)
    more = "more test images would settle it"
    if policy.max_negative_flips is not None and not flips_little(student, policy):
        limited = f"gets at most {say.percent(policy.max_negative_flips)} wrong of what the teacher gets right is open"
        return f"{limited} ({say.percent_range(student.flips)})", more, None
    worst = student.worst
    known = f"recognises {say.percent(policy.min_class_recall or 0)} of class {worst.name} is open"
    return f"{known} ({say.percent_range(worst.recall)}, {worst.images:,} test images)", more, None


def _admitting(judged: Judgement, numbers: set[int]) -> Verdict:
    return judge(judged.case, judged.policy, numbers).verdict


def _undecided(student: Student, policy: Policy) -> bool:
    return affordable(student, policy) and not keeps_up(student, policy) and could_keep_up(student, policy)


def _contest(judged: Judgement) -> Iterator[Weakness]:
    """The distilled pick gave way to the direct one, or to the teacher, for want of proof; could there be one?"""
    distilled, direct, policy = judged.distilled, judged.direct, judged.policy
    if judged.unproven and distilled and could_gain(judged.case, distilled):
        yield _unproven_gain(judged, distilled)
    if judged.verdict != "use_small_model" or not distilled or not direct:
        return
    if decided_by_cost(policy, distilled, direct) or not could_be_ahead(judged.case, policy, distilled, direct):
        return
    if judged.gain is None or judged.advantage is None or judged.gain.interval.low <= 0:
        yield _unproven_gain(judged, distilled)
    else:
        line = _line(policy, distilled, direct, judged.advantage.mean)
        yield Weakness(
            "The advantage of the distilled pick over the direct pick is open "
            f"({_spelled(judged.advantage)}); {settled_by(judged.advantage, line)}.",
            seeds_to_settle(judged.advantage, line),
        )


def _unproven_gain(judged: Judgement, distilled: Student) -> Weakness:
    """What distilling did is open."""
    if judged.gain is None:
        return Weakness(
            f"Finalist {distilled.number} ({distilled.name}) has no twin, so what distilling did cannot be told; "
            "training the same student without the teacher from as many seeds would settle it."
        )
    return Weakness(
        f"That distilling does nothing for {distilled.name} is not shown either (gain "
        f"{_spelled(judged.gain)}); {settled_by(judged.gain, 0.0)}.",
        seeds_to_settle(judged.gain, 0.0),
    )


def _spelled(estimate: Estimate) -> str:
    return f"{say.points(estimate.mean)}, {say.points_range(estimate.difference)}"


def _line(policy: Policy, distilled: Student, direct: Student, mean: float) -> float:
    """The advantage that has to be ruled in or out."""
    if cheaper(distilled.cost.mean, direct.cost.mean):
        return -policy.min_gain
    return 0.0 if mean >= policy.min_gain else policy.min_gain


def _costs(judged: Judgement) -> Iterator[str]:
    """Another verdict at costs that the readings' intervals allow."""
    for low in _subsets(judged):
        verdict = judge(judged.case.at_costs(_ends(low)), judged.policy).verdict
        if verdict != judged.verdict:
            yield _cost_sentence(judged, verdict)
            return


def _subsets(judged: Judgement) -> Iterator[frozenset[str]]:
    """Sets of models to be taken at the lower end of their cost: teacher, picks, and the rest as one."""
    picks = {pick.name for pick in judged.picks}
    rest = frozenset(s.name for s in judged.case.students) - picks
    groups = [frozenset({judged.case.teacher.name}), *(frozenset({name}) for name in sorted(picks)), rest]
    for taken in product((False, True), repeat=len(groups)):
        yield frozenset().union(*compress(groups, taken))


def _ends(low: frozenset[str]) -> Callable[[Offer], Interval]:
    def cost_of(offer: Offer) -> Interval:
        end = offer.cost.low if offer.name in low else offer.cost.high
        return Interval(mean=end, low=end, high=end)

    return cost_of


def _cost_sentence(judged: Judgement, verdict: Verdict) -> str:
    offers: list[Offer] = [judged.case.teacher, *judged.picks]
    ranges = dict.fromkeys(f"{o.name} {say.usd(o.cost.low)} to {say.usd(o.cost.high)}" for o in offers)
    remedy = "measuring longer on an idle machine"
    if judged.policy.requests_per_month is not None:
        remedy += ", or a larger request volume,"
    return (
        f"Within the intervals of the costs ({say.listed(list(ranges))}) the verdict could also be {verdict}; "
        f"{remedy} would settle it."
    )


def _volume(judged: Judgement) -> Iterator[str]:
    """A cheaper student that was passed over only because nobody said how many requests there are."""
    if judged.policy.requests_per_month is not None or not judged.teacher_eligible:
        return
    refused = [s for s in judged.case.students if s.number in judged.eligible - judged.worthwhile]
    for student in refused:
        requests = judged.break_even(student)
        if requests is None or not cheaper(student.cost.mean, judged.case.teacher.cost.mean):
            continue
        verdict = _at_volume(judged, requests / judged.policy.horizon_months * 1.001 + 1)
        if verdict != judged.verdict:
            yield (
                f"Whether {student.name} (finalist {student.number}) pays for itself depends on the request volume: it "
                f"has done so after {say.count(requests)} requests, and where they come within "
                f"{say.clean(judged.policy.horizon_months)} months the verdict is {verdict}; --requests-per-month "
                "would settle it."
            )
            return


def _at_volume(judged: Judgement, volume: float) -> Verdict:
    return judge(judged.case, judged.policy.model_copy(update={"requests_per_month": volume})).verdict
