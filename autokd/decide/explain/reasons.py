"""The verdict in words: one sentence that sums it up, and a reason for each of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from autokd import formatting as fmt
from autokd.decide.comparisons import Comparison, Student
from autokd.decide.economics import costs_differ, horizon_saving_usd
from autokd.decide.explain import wording as say
from autokd.decide.explain.nearest_miss import nearest_miss, smallest_fix
from autokd.decide.explain.refusals import refusals, teacher_refusals
from autokd.decide.policy import Judgement, decided_by_cost, gains, is_ahead, leads
from autokd.decide.policy_limits import COST, LIMITS
from autokd.decide.sensitivity import Change
from autokd.records import ARMS, Arm, Difference, Policy

ADJECTIVES: dict[Arm, str] = {"distill": "distilled", "direct": "direct"}
Kind = Literal[
    "teacher", "teacher_refused", "teacher_form", "beaten", "pick", "no_pick", "outdone", "gain", "advantage",
    "conclusion", "payback", "nearest_miss",
]  # fmt: skip
MOST_KEY_REASONS = 5


@dataclass(frozen=True)
class Reason:
    """One sentence on one step of the policy."""

    kind: Kind
    sentence: str


def summary(judged: Judgement, found: Sequence[Change]) -> str:
    """The verdict in one sentence."""
    if judged.pick is not None:
        return f"{_recommended(judged.pick)}: it keeps {_worth(judged.comparison, judged.pick)}."
    if judged.verdict == "keep_teacher":
        return f"{_kept(judged.comparison, judged.policy)}, and {_no_student(judged)}."
    miss = nearest_miss(judged)
    return f"{_nothing(judged)}: {miss.name} comes nearest but {miss.why}, and {smallest_fix(miss, found)}."


def reasons(judged: Judgement, found: Sequence[Change]) -> tuple[Reason, ...]:
    """One sentence or more for each step of the policy, in its order."""
    return (
        _teacher(judged.comparison, judged.policy),
        *(Reason("teacher_form", sentence) for sentence in _form(judged)),
        *(Reason("beaten", sentence) for sentence in _beaten(judged)),
        *(_arm(judged, arm) for arm in ARMS),
        *(Reason("outdone", sentence) for sentence in _outdone(judged)),
        *_contest(judged),
        *(Reason("payback", sentence) for sentence in _payback(judged)),
        *_miss(judged, found),
    )


def key_reasons(found: Sequence[Reason]) -> tuple[Reason, ...]:
    """The few that decided, the most important first; without what the summary and a table of the options say."""
    order: tuple[Kind, ...] = (
        "conclusion", "gain", "advantage", "teacher_refused", "teacher_form", "no_pick", "outdone", "payback", "beaten",
    )  # fmt: skip
    known = [reason for reason in found if reason.kind in order]
    return tuple(sorted(known, key=lambda reason: order.index(reason.kind))[:MOST_KEY_REASONS])


# ---- the summary -----------------------------------------------------------------------------------------------


def _recommended(pick: Student) -> str:
    if pick.arm == "distill":
        return f"Distill {pick.name}"
    return f"Train {pick.name} directly" if pick.record.recipe.epochs else f"Use {pick.name} as it is{_source(pick)}"


def _source(student: Student) -> str:
    """Where the weights of a model that is used as it is come from."""
    return f" ({student.record.weights.label})" if student.record.weights else ""


def _worth(comparison: Comparison, student: Student) -> str:
    kept = f"{fmt.percent(student.retention.mean)} of {comparison.evidence.teacher.name}'s accuracy"
    teacher, cost = comparison.teacher.cost.mean, student.cost.mean
    if not isfinite(teacher):
        return f"{kept} at {fmt.usd(cost)} per 1,000 requests"
    prices = f"({fmt.usd(cost)} instead of {fmt.usd(teacher)} per 1,000 requests)"
    if not costs_differ(teacher, cost):
        return f"{kept} at about the same cost {prices}"
    factor, word = (teacher / cost, "lower") if cost < teacher else (cost / teacher, "higher")
    return f"{kept} at {fmt.times(factor)} times {word} cost {prices}"


def _nothing(judged: Judgement) -> str:
    comparison, policy = judged.comparison, judged.policy
    budget = f"the budget of {fmt.usd(policy.max_cost)} per 1,000 requests"
    if not any(COST.is_met(offer, policy) for offer in (comparison.teacher, *comparison.students)):
        return f"Nothing meets {budget}"
    asked = [(limit, limit.asked(policy)) for limit in LIMITS if limit is not COST]
    wanted = [limit.demand.format(limit.value(value)) for limit, value in asked if value is not None]
    return f"Nothing within {budget} is shown to {fmt.listed(wanted)}"


def _kept(comparison: Comparison, policy: Policy) -> str:
    cost, limit = fmt.usd(comparison.teacher.cost.mean), fmt.usd(policy.max_cost)
    return f"Keep {comparison.teacher.name}: it costs {cost} per 1,000 requests, within the budget of {limit}"


def _no_student(judged: Judgement) -> str:
    if judged.distilled is not None:
        alone = f"finalist {judged.distilled.number} ({judged.distilled.name}, distilled)"
        return f"no student is shown to be worth the change: {alone} keeps enough, but does not show a gain"
    best = closest(judged.comparison.students, judged)
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


def shown_students(judged: Judgement) -> dict[Arm, Student]:
    """Who stands for each arm in the answer: its pick, or else its nearest finalist, which is not worthwhile."""
    picks = {"distill": judged.distilled, "direct": judged.direct}
    shown = {arm: picks[arm] or closest(judged.comparison.arm(arm), judged) for arm in ARMS}
    return {arm: student for arm, student in shown.items() if student}


# ---- the reasons -----------------------------------------------------------------------------------------------


def _teacher(comparison: Comparison, policy: Policy) -> Reason:
    if missed := teacher_refusals(comparison.teacher, policy):
        return Reason(
            "teacher_refused", f"The teacher {comparison.teacher.name} cannot be kept: it {fmt.listed(missed)}."
        )
    cost, limit = fmt.usd(comparison.teacher.cost.mean), fmt.usd(policy.max_cost)
    accuracy = fmt.percent(comparison.teacher.accuracy.mean)
    return Reason(
        "teacher",
        f"The teacher {comparison.teacher.name} ({accuracy} accurate) could be kept: it costs {cost} per 1,000 "
        f"requests, within the budget of {limit}.",
    )


def _form(judged: Judgement) -> Iterator[str]:
    """Why the teacher stands there in another form than the run's, and which of the shown students have one form."""
    comparison = judged.comparison
    teacher, own = comparison.teacher, comparison.forms[0]
    if teacher.form is None:
        return
    factor, kept = own.cost.mean / teacher.cost.mean, fmt.percent(teacher.retention.mean)
    measured = {known.finalist for known in comparison.evidence.student_forms}
    alone = [f"{s.number} ({s.name})" for s in shown_students(judged).values() if s.number not in measured]
    yield (
        f"Everything is compared with {own.name} as {teacher.form.words}, which costs {fmt.times(factor)} times less "
        f"than the form that was measured for all models and keeps {kept} of its accuracy."
    )
    if alone:
        who = f"Finalists {fmt.listed(alone)} were" if len(alone) > 1 else f"Finalist {alone[0]} was"
        yield f"{who} measured in the latter only; another form may make a student cheaper, too."


def _beaten(judged: Judgement) -> Iterator[str]:
    """A teacher that is no better than a student trained without it."""
    comparison = judged.comparison
    best = max(comparison.arm("direct"), key=lambda s: (s.val_accuracy, -s.number), default=None)
    if best is not None and best.val_accuracy > comparison.teacher.val_accuracy:
        own, teachers = fmt.percent_pair(best.val_accuracy, comparison.teacher.val_accuracy)
        how = "trained directly" if best.record.recipe.epochs else "used as it is"
        rival = f"{best.name}, {how} (finalist {best.number}),"
        if judged.verdict == "distill":
            yield f"{rival} is ahead of the teacher on validation: {own} against {teachers}."
        else:
            yield f"The teacher is not worth distilling: {rival} reaches {own} on validation, the teacher {teachers}."


def _arm(judged: Judgement, arm: Arm) -> Reason:
    word = ADJECTIVES[arm]
    pick = judged.distilled if arm == "distill" else judged.direct
    if pick is not None:
        trained = f"{pick.accuracy.seeds} seeds" if pick.record.recipe.epochs else "used as it is, without training"
        return Reason(
            "pick",
            f"The {word} pick is finalist {pick.number}, {pick.name}: it keeps {_worth(judged.comparison, pick)}; "
            f"retention {say.percent_range(pick.retention)}, {trained}.",
        )
    best = closest(judged.comparison.arm(arm), judged)
    if best is None:
        return Reason("no_pick", f"There are no {word} finalists.")
    if arm == "direct" and judged.outdone:
        return Reason(
            "no_pick", "Every worthwhile direct finalist costs more and is less accurate than the distilled pick."
        )
    nearest = f"the nearest, finalist {best.number} ({best.name}), {_refused(judged, best)}"
    return Reason("no_pick", f"No {word} finalist is worthwhile: {nearest}.")


def _refused(judged: Judgement, student: Student) -> str:
    return fmt.listed(refusals(judged, student))


def _outdone(judged: Judgement) -> Iterator[str]:
    """A direct finalist that validation preferred and the test refuses."""
    first, distilled = judged.outdone, judged.distilled
    if first is None or distilled is None or judged.direct is None:
        return
    behind = judged.comparison.differences[distilled.number, first.number].difference
    yield (
        f"Finalist {first.number}, {first.name}, leads the direct arm on validation. It costs more than the distilled "
        f"pick ({fmt.usd(first.cost.mean)} against {fmt.usd(distilled.cost.mean)} per 1,000 requests) and is less "
        f"accurate ({fmt.points(-behind.mean)}, at most {fmt.points(-behind.low)}), so the next one stands for the arm."
    )


def _contest(judged: Judgement) -> Iterator[Reason]:
    """Gain, advantage, and what follows from them."""
    distilled, direct = judged.distilled, judged.direct
    if distilled is None:
        return
    if judged.gain is None:
        yield Reason("gain", f"The distilled pick has no twin, so the gain of distilling {distilled.name} is unknown.")
    else:
        yield Reason("gain", _gain(judged.gain.difference))
    if direct is None or judged.advantage is None:
        yield from (Reason("conclusion", sentence) for sentence in _unrivalled(judged, distilled))
        return
    if direct != judged.twin:  # else the advantage is the gain
        yield Reason("advantage", _advantage(judged.advantage.difference))
    yield Reason("conclusion", _conclusion(judged.comparison, judged.policy, distilled, direct))


def _unrivalled(judged: Judgement, distilled: Student) -> Iterator[str]:
    """What no shown gain means where the direct arm has no pick."""
    if judged.unproven:
        yield f"No gain above 0 is shown for {distilled.name}, so the teacher, which can be kept, stays."
    elif not gains(judged.comparison, distilled):
        yield "The teacher cannot be kept and nothing else meets the limits, so the distilled pick is taken."


def _gain(gain: Difference) -> str:
    outcome = "helped" if gain.low > 0 else "did harm" if gain.high < 0 else "is not shown to help"
    return f"Gain: {fmt.points(gain.mean)} ({say.points_range(gain)}); distilling {outcome}."


def _advantage(advantage: Difference) -> str:
    return (
        f"Advantage of the distilled over the direct pick: {fmt.points(advantage.mean)} "
        f"({say.points_range(advantage)}); smallest detectable difference: "
        f"{fmt.points(advantage.detectable).removeprefix('+')}."
    )


def _conclusion(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> str:
    prices = f"{fmt.usd(distilled.cost.mean)} against {fmt.usd(direct.cost.mean)} per 1,000 requests"
    simpler = "training directly" if direct.record.recipe.epochs else "a published model as it is"
    by_cost = decided_by_cost(policy, distilled, direct)
    if by_cost and direct.cost.mean < distilled.cost.mean:
        return f"Savings are preferred, and the direct pick is cheaper ({prices})."
    if not gains(comparison, distilled):
        return f"No gain above 0 is shown, so the simpler way is taken: {simpler}."
    if by_cost:
        return f"Savings are preferred, and the distilled pick is cheaper ({prices})."
    least = fmt.points(policy.min_gain).removeprefix("+")
    if leads(comparison, policy, distilled, direct):
        return f"The distilled pick is shown to be ahead, by {least} or more on average."
    if is_ahead(comparison, policy, distilled, direct):
        return f"The distilled pick is cheaper ({prices}), and less than {least} behind with its whole interval."
    return (
        f"The distilled pick is not shown to be ahead by {least}, nor is it cheaper and less than {least} behind "
        f"({prices}), so the simpler way is taken: {simpler}."
    )


def _payback(judged: Judgement) -> Iterator[str]:
    pick = judged.pick
    if pick is None:
        return
    once, requests = fmt.usd(judged.one_time_usd), judged.break_even(pick)
    if not isfinite(judged.comparison.teacher.cost.mean):
        yield f"The teacher cannot be served here at any cost, so what the one-time cost of {once} saves is unknown."
        return
    if requests is None:
        yield f"{pick.name} does not cost less than the teacher, so the one-time cost of {once} is never paid back."
        return
    sentence = f"The one-time cost of {once} is paid back after {fmt.requests(requests)} requests"
    saving = horizon_saving_usd(judged.comparison.teacher.cost.mean, pick.cost.mean, judged.policy)
    if saving is not None and judged.policy.requests_per_month is not None:
        monthly, months = fmt.requests(judged.policy.requests_per_month), fmt.clean(judged.policy.horizon_months)
        sentence += f"; at {monthly} requests a month {pick.name} saves {fmt.usd(saving)} over {months} months"
    yield f"{sentence}."


def _miss(judged: Judgement, found: Sequence[Change]) -> Iterator[Reason]:
    if judged.verdict != "none":
        return
    miss = nearest_miss(judged)
    yield Reason("nearest_miss", f"The nearest miss is {miss.name}: it {miss.why}.")
    if tried := judged.comparison.evidence.search.looked_at_of:
        yield Reason("nearest_miss", f"This rests on what was tried: {tried}.")
    yield Reason("nearest_miss", f"The smallest change that is enough: {smallest_fix(miss, found)}.")
