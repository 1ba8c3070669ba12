"""The verdict in words: one sentence that sums it up, and a reason for each of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from autokd.decide.comparisons import Case, Student
from autokd.decide.economics import costs_differ, horizon_saving_usd, within
from autokd.decide.explain import wording as say
from autokd.decide.explain.nearest_miss import nearest_miss, smallest_fix
from autokd.decide.explain.refusals import limits_missed, refusals
from autokd.decide.policy import Judgement, decided_by_cost, gains, is_ahead, leads
from autokd.decide.sensitivity import Change
from autokd.records import Arm, Difference, Policy

ADJECTIVES: dict[Arm, str] = {"distill": "distilled", "direct": "direct"}


def summary(judged: Judgement, found: Sequence[Change]) -> str:
    """The verdict in one sentence."""
    if judged.pick is not None:
        return f"{_recommended(judged.pick)}: it keeps {_worth(judged.case, judged.pick)}."
    if judged.verdict == "keep_teacher":
        return f"{_kept(judged.case, judged.policy)}, and {_no_student(judged)}."
    miss = nearest_miss(judged)
    return f"{_nothing(judged)}: {miss.name} comes nearest but {miss.why}, and {smallest_fix(miss, found)}."


def reasons(judged: Judgement, found: Sequence[Change]) -> tuple[str, ...]:
    """One sentence or more for each step of the policy, in its order."""
    return (
        _teacher(judged.case, judged.policy),
        *_beaten(judged),
        *(_arm(judged, arm) for arm in ADJECTIVES),
        *_outdone(judged),
        *_contest(judged),
        *_payback(judged),
        *_miss(judged, found),
    )


# ---- the summary -----------------------------------------------------------------------------------------------


def _recommended(pick: Student) -> str:
    if pick.arm == "distill":
        return f"Distil {pick.name}"
    return f"Train {pick.name} directly" if pick.record.recipe.epochs else f"Use {pick.name} as it is{_source(pick)}"


def _source(student: Student) -> str:
    """Where the weights of a model that is used as it is come from."""
    return f" ({student.record.weights.label})" if student.record.weights else ""


def _worth(case: Case, student: Student) -> str:
    kept = f"{say.percent(student.retention.mean)} of {case.teacher.name}'s accuracy"
    teacher, cost = case.teacher.cost.mean, student.cost.mean
    if not isfinite(teacher):
        return f"{kept} at {say.usd(cost)} per 1,000 requests"
    prices = f"({say.usd(cost)} instead of {say.usd(teacher)} per 1,000 requests)"
    if not costs_differ(teacher, cost):
        return f"{kept} at about the same cost {prices}"
    factor, word = (teacher / cost, "lower") if cost < teacher else (cost / teacher, "higher")
    return f"{kept} at {say.times(factor)} times {word} cost {prices}"


def _nothing(judged: Judgement) -> str:
    case, policy = judged.case, judged.policy
    budget = f"the budget of {say.usd(policy.max_cost)} per 1,000 requests"
    if not any(within(offer.cost.mean, policy.max_cost) for offer in (case.teacher, *case.students)):
        return f"Nothing meets {budget}"
    wanted = [f"keep {say.percent(policy.min_retention)} of {case.teacher.name}'s accuracy"]
    if policy.max_negative_flips is not None:
        wanted.append(f"get at most {say.clean(policy.max_negative_flips * 100)} % wrong that the teacher gets right")
    if policy.min_class_recall is not None:
        wanted.append(f"recognise {say.clean(policy.min_class_recall * 100)} % of every class")
    if policy.max_latency_ms is not None:
        wanted.append(f"answer within {say.clean(policy.max_latency_ms)} ms (p95)")
    return f"Nothing within {budget} is shown to {say.listed(wanted)}"


def _kept(case: Case, policy: Policy) -> str:
    cost, limit = say.usd(case.teacher.cost.mean), say.usd(policy.max_cost)
    return f"Keep {case.teacher.name}: its {cost} per 1,000 requests are within the budget of {limit}"


def _no_student(judged: Judgement) -> str:
    if judged.distilled is not None:
        alone = f"finalist {judged.distilled.number} ({judged.distilled.name}, distilled)"
        return f"no student is shown to be worth the change: {alone} keeps enough, but no gain from distilling is shown"
    best = closest(judged.case.students, judged)
    if best is None:
        return "there is no trained student to replace it"
    return f"no student is worth the change: finalist {best.number} ({best.name}) {_refused(judged, best)}"


def closest(students: Sequence[Student], judged: Judgement) -> Student | None:
    """The finalist that speaks for those without a pick: eligible before not, then by validation accuracy."""
    return min(
        students,
        key=lambda s: (s.number not in judged.eligible, -s.val_accuracy, s.cost.mean, s.number),
        default=None,
    )


# ---- the reasons -----------------------------------------------------------------------------------------------


def _teacher(case: Case, policy: Policy) -> str:
    missed = list(limits_missed(case.teacher, policy))
    if missed:
        return f"The teacher {case.teacher.name} cannot be kept: it {say.listed(missed)}."
    cost, limit = say.usd(case.teacher.cost.mean), say.usd(policy.max_cost)
    accuracy = say.percent(case.teacher_accuracy.mean)
    return (
        f"The teacher {case.teacher.name} ({accuracy} accurate) could be kept: "
        f"it costs {cost} per 1,000 requests, within the budget of {limit}."
    )


def _beaten(judged: Judgement) -> Iterator[str]:
    """A teacher that is no better than a student trained without it."""
    case = judged.case
    best = max(case.arm("direct"), key=lambda s: (s.val_accuracy, -s.number), default=None)
    if best is not None and best.val_accuracy > case.teacher.val_accuracy:
        own, teachers = say.percent_beside(best.val_accuracy, case.teacher.val_accuracy)
        how = "trained directly" if best.record.recipe.epochs else "used as it is"
        rival = f"{best.name}, {how} (finalist {best.number}),"
        if judged.verdict == "distill":
            yield f"{rival} is ahead of the teacher on validation: {own} against {teachers}."
        else:
            yield f"The teacher is not worth distilling: {rival} reaches {own} on validation, the teacher {teachers}."


def _arm(judged: Judgement, arm: Arm) -> str:
    word = ADJECTIVES[arm]
    pick = judged.distilled if arm == "distill" else judged.direct
    if pick is not None:
        trained = (
            f"{pick.accuracy.seeds} seeds" if pick.record.recipe.epochs else "used as it is, so there are no seeds"
        )
        return (
            f"The {word} pick is finalist {pick.number}, {pick.name}: it keeps {_worth(judged.case, pick)}; "
            f"retention {say.percent_range(pick.retention)}, {trained}."
        )
    best = closest(judged.case.arm(arm), judged)
    if best is None:
        return f"There is no {word} finalist."
    if arm == "direct" and judged.outdone:
        return "Every worthwhile direct finalist is dearer and less accurate than the distilled pick."
    nearest = f"the nearest, finalist {best.number} ({best.name}), {_refused(judged, best)}"
    return f"No {word} finalist is worthwhile: {nearest}."


def _refused(judged: Judgement, student: Student) -> str:
    return say.listed(list(refusals(judged, student)))


def _outdone(judged: Judgement) -> Iterator[str]:
    """A direct finalist that validation preferred and the test refuses."""
    first, distilled = judged.outdone, judged.distilled
    if first is None or distilled is None or judged.direct is None:
        return
    behind = judged.case.differences[distilled.number, first.number].difference
    yield (
        f"Finalist {first.number}, {first.name}, would stand for the direct arm, but is dearer "
        f"({say.usd(first.cost.mean)} against {say.usd(distilled.cost.mean)} per 1,000 requests) and less accurate "
        f"than the distilled pick ({say.points(-behind.mean)}, the interval ends at {say.points(-behind.low)}), so the "
        "next one stands for the direct arm."
    )


def _contest(judged: Judgement) -> Iterator[str]:
    """Gain, advantage, and what follows from them."""
    distilled, direct = judged.distilled, judged.direct
    if distilled is None:
        return
    if judged.gain is None:
        yield f"The distilled pick has no twin, so what distilling did for {distilled.name} cannot be told."
    else:
        yield _gain(distilled, judged.gain.difference)
    if direct is None or judged.advantage is None:
        yield from _unrivalled(judged, distilled)
        return
    yield _advantage(distilled, direct, judged.advantage.difference)
    yield _conclusion(judged.case, judged.policy, distilled, direct)


def _unrivalled(judged: Judgement, distilled: Student) -> Iterator[str]:
    """What no shown gain means where the direct arm has no pick."""
    if judged.unproven:
        yield (
            f"Without a gain above 0, distilling is not shown to be why {distilled.name} passes and no direct finalist "
            "is left; the teacher can be kept, which needs no proof."
        )
    elif not gains(judged.case, distilled):
        yield "The teacher cannot be kept and nothing else meets the limits: the distilled pick is taken all the same."


def _gain(distilled: Student, gain: Difference) -> str:
    outcome = "helped" if gain.low > 0 else "did harm" if gain.high < 0 else "is not shown to help"
    return (
        f"Distilling {outcome}: against its twin, the same student trained without the teacher, {distilled.name} gains "
        f"{say.points(gain.mean)} ({say.points_range(gain)})."
    )


def _advantage(distilled: Student, direct: Student, advantage: Difference) -> str:
    return (
        f"The advantage of the distilled pick, finalist {distilled.number}, over the direct pick, finalist "
        f"{direct.number}, is "
        f"{say.points(advantage.mean)} ({say.points_range(advantage)}); this test could have shown "
        f"{say.points(advantage.detectable).removeprefix('+')}."
    )


def _conclusion(case: Case, policy: Policy, distilled: Student, direct: Student) -> str:
    prices = f"{say.usd(distilled.cost.mean)} against {say.usd(direct.cost.mean)} per 1,000 requests"
    simpler = "training directly" if direct.record.recipe.epochs else "a published model as it is"
    by_cost = decided_by_cost(policy, distilled, direct)
    if by_cost and direct.cost.mean < distilled.cost.mean:
        return f"Savings are preferred, and the direct pick is the cheaper one ({prices})."
    if not gains(case, distilled):
        return f"No gain above 0 is shown, and without one the simpler way, {simpler}, is taken."
    if by_cost:
        return f"Savings are preferred, and the distilled pick is the cheaper one ({prices})."
    least = say.points(policy.min_gain).removeprefix("+")
    if leads(case, policy, distilled, direct):
        return f"The distilled pick is shown to be ahead, with a mean of at least {least}."
    if is_ahead(case, policy, distilled, direct):
        return f"The distilled pick is cheaper ({prices}), and with its whole interval less than {least} behind."
    return (
        f"The distilled pick is neither shown to be ahead, with a mean of at least {least}, nor cheaper and less than "
        f"{least} behind ({prices}); the simpler way, {simpler}, is taken."
    )


def _payback(judged: Judgement) -> Iterator[str]:
    pick = judged.pick
    if pick is None:
        return
    once, requests = say.usd(judged.one_time_usd), judged.break_even(pick)
    if not isfinite(judged.case.teacher.cost.mean):
        yield f"The teacher cannot be served here at any cost, so what the one-time cost of {once} saves is not known."
        return
    if requests is None:
        yield f"{pick.name} costs no less than the teacher, so the one-time cost of {once} is never paid back."
        return
    sentence = f"The one-time cost of {once} is paid back after {say.count(requests)} requests"
    saving = horizon_saving_usd(judged.case.teacher.cost.mean, pick.cost.mean, judged.policy)
    if saving is not None and judged.policy.requests_per_month is not None:
        sentence += (
            f"; at {say.count(judged.policy.requests_per_month)} requests a month {pick.name} saves {say.usd(saving)} "
            f"over {say.clean(judged.policy.horizon_months)} months"
        )
    yield f"{sentence}."


def _miss(judged: Judgement, found: Sequence[Change]) -> Iterator[str]:
    if judged.verdict != "none":
        return
    miss = nearest_miss(judged)
    yield f"The nearest miss is {miss.name}: it {miss.why}."
    yield f"The smallest change that would fix it: {smallest_fix(miss, found)}."
