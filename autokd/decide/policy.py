"""The rules of the verdict (docs/verdict.md): a pure function of a comparison and a policy.

Strength, reasons and what would change the verdict are made elsewhere, by asking these rules again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from autokd.decide.comparisons import Comparison, Offer, ServedTeacher, Student
from autokd.decide.economics import break_even_requests, cheaper, costs_differ, horizon_saving_usd, one_time_usd, within
from autokd.decide.policy_limits import ROUNDING, affordable, good_enough
from autokd.decide.statistics.intervals import Estimate
from autokd.records import ARM_OF, ARMS, Policy, Verdict

T = TypeVar("T", bound=Offer)
HALF = 0.5  # of the teacher's cost: where no volume is known, a saving that large is taken to pay


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdict with what led to it."""

    comparison: Comparison
    policy: Policy
    verdict: Verdict
    teacher_eligible: bool
    eligible: frozenset[int]
    worthwhile: frozenset[int]
    distilled: Student | None  # the pick of the distill arm
    direct: Student | None  # the pick of the direct arm
    outdone: Student | None  # the direct arm's first choice, where the distilled pick is cheaper and better

    @property
    def pick(self) -> Student | None:
        """The student that the verdict recommends, if it recommends one."""
        arms = {"distill": self.distilled, "direct": self.direct}
        return arms[ARM_OF[self.verdict]] if self.verdict in ARM_OF else None

    @property
    def unproven(self) -> bool:
        """Whether the teacher is kept although there is a distilled pick, because no gain is shown."""
        return self.verdict == "keep_teacher" and self.distilled is not None

    @property
    def picks(self) -> list[Student]:
        """The picks there are, distilled before direct."""
        return [pick for pick in (self.distilled, self.direct) if pick]

    def passed_over(self, direct: Student) -> bool:
        """Whether a worthwhile finalist of the direct arm gave way to the distilled pick."""
        found = self.distilled is not None and direct.arm == "direct" and direct.number in self.worthwhile
        return found and self.distilled is not None and is_outdone(self.comparison, direct, self.distilled)

    @property
    def twin(self) -> Student | None:
        """The twin of the distilled pick."""
        return self.comparison.twin_of(self.distilled) if self.distilled else None

    @property
    def gain(self) -> Estimate | None:
        """What distilling did for the distilled pick; None without a pick or without its twin."""
        distilled, twin = self.distilled, self.twin
        return self.comparison.differences[distilled.number, twin.number] if distilled and twin else None

    @property
    def gain_over_best(self) -> Estimate | None:
        """The distilled pick minus the direct training of the same student that is best on validation.

        The twin's recipe was searched for a training with the teacher; this one's was not.
        """
        distilled = self.distilled
        same = [s for s in self.comparison.arm("direct") if distilled and s.name == distilled.name]
        if not (distilled and same):
            return None
        best = max(same, key=lambda s: (s.val_accuracy, -s.number))
        return self.comparison.differences[distilled.number, best.number]

    @property
    def advantage(self) -> Estimate | None:
        """Accuracy of the distilled pick minus the direct pick's; None unless both arms have one."""
        distilled, direct = self.distilled, self.direct
        return self.comparison.differences[distilled.number, direct.number] if distilled and direct else None

    @property
    def one_time_usd(self) -> float:
        """What either student costs once."""
        return one_time_usd(self.comparison.spent_usd, self.policy)

    def break_even(self, student: Student) -> float | None:
        """Requests after which a student has paid for itself; None where it is not cheaper than the teacher."""
        return break_even_requests(self.one_time_usd, self.comparison.teacher.cost.mean, student.cost.mean)


def judge(comparison: Comparison, policy: Policy, admitted: Collection[int] = ()) -> Judgement:
    """The verdict on a comparison; finalists `admitted` count as keeping as much accuracy as their interval allows.

    The teacher is what students are compared with in the form that is the best to keep; `comparison.teacher` of the
    answer is that one.
    """
    comparison = replace(comparison, teacher=best_form(comparison, policy))
    teacher_eligible = affordable(comparison.teacher, policy)
    eligible = [
        s for s in comparison.students if affordable(s, policy) and (s.number in admitted or good_enough(s, policy))
    ]
    worthwhile = [s for s in eligible if not teacher_eligible or pays(s, comparison, policy, s.number in admitted)]
    tried, rivals = ([s for s in worthwhile if s.arm == arm] for arm in ARMS)
    distilled, direct, outdone = _picks(comparison, policy, tried, rivals)
    proven = [s for s in tried if gains(comparison, s)]
    if teacher_eligible and direct is None and proven:
        distilled, direct, outdone = _picks(comparison, policy, proven, rivals)
    return Judgement(
        comparison=comparison,
        policy=policy,
        verdict=_verdict(comparison, policy, teacher_eligible, distilled, direct),
        teacher_eligible=teacher_eligible,
        eligible=frozenset(s.number for s in eligible),
        worthwhile=frozenset(s.number for s in worthwhile),
        distilled=distilled,
        direct=direct,
        outdone=outdone,
    )


# ---- the teacher --------------------------------------------------------------------------------------------


def best_form(comparison: Comparison, policy: Policy) -> ServedTeacher:
    """The form in which the teacher would be kept: good enough, affordable if any is, then by what is preferred.

    Where no form is affordable, the cheapest that is good enough stands for the teacher.
    """
    own, *others = comparison.forms
    good = [own, *(form for form in others if good_enough(form, policy))]
    return preferred([form for form in good if affordable(form, policy)], policy) or min(
        good, key=lambda form: form.cost.mean
    )


# ---- worthwhile ---------------------------------------------------------------------------------------------


def pays(student: Student, comparison: Comparison, policy: Policy, admitted: bool = False) -> bool:
    """Whether a student pays for itself where the teacher could be kept; `admitted` as for `judge`."""
    saving = horizon_saving_usd(comparison.teacher.cost.mean, student.cost.mean, policy)
    if saving is not None:
        return saving > one_time_usd(comparison.spent_usd, policy)
    if half_priced(student, comparison):
        return True
    kept = student.retention.high if admitted else student.retention.low
    return cheaper(student.cost.mean, comparison.teacher.cost.mean) and kept >= 1 - ROUNDING


def half_priced(student: Student, comparison: Comparison) -> bool:
    """Whether a student costs at most half of what the teacher does."""
    return within(student.cost.mean, HALF * comparison.teacher.cost.mean)


# ---- the pick of an arm -------------------------------------------------------------------------------------


def _picks(
    comparison: Comparison, policy: Policy, tried: list[Student], rivals: list[Student]
) -> tuple[Student | None, Student | None, Student | None]:
    """The picks of both arms, and the direct arm's first choice where that gives way."""
    distilled, first = arm_pick(tried, policy), arm_pick(rivals, policy)
    if not (distilled and first and is_outdone(comparison, first, distilled)):
        return distilled, first, None
    return distilled, arm_pick([s for s in rivals if not is_outdone(comparison, s, distilled)], policy), first


def arm_pick(worthwhile: list[Student], policy: Policy) -> Student | None:
    """The finalist that stands for its arm, by validation accuracy and cost; None where there is none to pick."""
    return preferred(sorted(worthwhile, key=lambda s: s.number), policy)


def preferred(options: Sequence[T], policy: Policy) -> T | None:
    """Of several options, the cheapest of the most accurate, or by savings the other way round; the first of equals."""
    if not options:
        return None
    if policy.prefer == "savings":
        least = min(option.cost.mean for option in options)
        near = [option for option in options if not costs_differ(option.cost.mean, least)]
        return min(near, key=lambda option: (-option.val_accuracy, option.cost.mean))
    best = max(option.val_accuracy for option in options)
    near = [option for option in options if option.val_accuracy >= best - policy.min_gain - ROUNDING]
    return min(near, key=lambda option: (option.cost.mean, -option.val_accuracy))


def is_outdone(comparison: Comparison, direct: Student, distilled: Student) -> bool:
    """Whether a direct finalist costs more than the distilled pick and is less accurate with its whole interval.

    Nobody should be told to take it. What remains for the direct arm is its next choice, as a rule the distilled
    pick's twin, so that a distilled student is still recommended only for what distilling did.
    """
    ahead = comparison.differences[distilled.number, direct.number].interval.low > 0
    return ahead and cheaper(distilled.cost.mean, direct.cost.mean)


# ---- the verdict --------------------------------------------------------------------------------------


def _verdict(
    comparison: Comparison, policy: Policy, teacher_eligible: bool, distilled: Student | None, direct: Student | None
) -> Verdict:
    """The simpler way needs no proof: a direct pick, or else a teacher that could be kept.

    A distilled pick has to gain, unless it is all there is.
    """
    if distilled and direct:
        return _between(comparison, policy, distilled, direct)
    if distilled:
        return "distill" if gains(comparison, distilled) or not teacher_eligible else "keep_teacher"
    if direct:
        return "use_small_model"
    return "keep_teacher" if teacher_eligible else "none"


def _between(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> Verdict:
    proven = gains(comparison, distilled) and is_preferred(comparison, policy, distilled, direct)
    return "distill" if proven else "use_small_model"


def is_preferred(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> bool:
    """Whether a distilled pick that gains is to be taken: the cheaper one by savings, else the one that is ahead."""
    if decided_by_cost(policy, distilled, direct):
        return distilled.cost.mean < direct.cost.mean
    return is_ahead(comparison, policy, distilled, direct)


def decided_by_cost(policy: Policy, distilled: Student, direct: Student) -> bool:
    """Whether savings are preferred and decide between two picks."""
    return policy.prefer == "savings" and costs_differ(distilled.cost.mean, direct.cost.mean)


def gains(comparison: Comparison, distilled: Student) -> bool:
    """Whether distilling is shown to have done something for this student; never, without its twin."""
    twin = comparison.twin_of(distilled)
    return twin is not None and comparison.differences[distilled.number, twin.number].interval.low > 0


def could_gain(comparison: Comparison, distilled: Student) -> bool:
    """Whether it is open that more evidence would show a gain; so it is without a twin."""
    twin = comparison.twin_of(distilled)
    return twin is None or comparison.differences[distilled.number, twin.number].interval.high > 0


def is_ahead(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> bool:
    """Whether the distilled pick is shown to be more accurate by enough, or as accurate at a lower cost."""
    if leads(comparison, policy, distilled, direct):
        return True
    advantage = comparison.differences[distilled.number, direct.number].interval
    return cheaper(distilled.cost.mean, direct.cost.mean) and advantage.low > -policy.min_gain


def leads(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> bool:
    """Whether the distilled pick is shown to be more accurate, by a mean that matters."""
    advantage = comparison.differences[distilled.number, direct.number].interval
    return advantage.low > 0 and advantage.mean >= policy.min_gain - ROUNDING


def could_be_ahead(comparison: Comparison, policy: Policy, distilled: Student, direct: Student) -> bool:
    """Whether the intervals of gain and advantage leave it open that more evidence would say distill."""
    if not could_gain(comparison, distilled):
        return False
    if decided_by_cost(policy, distilled, direct):
        return distilled.cost.mean < direct.cost.mean
    advantage = comparison.differences[distilled.number, direct.number].interval
    if advantage.high > max(policy.min_gain, 0.0):
        return True
    return cheaper(distilled.cost.mean, direct.cost.mean) and advantage.high > -policy.min_gain
