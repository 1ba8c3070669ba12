"""`decide`: evidence and a policy in, a decision out. Nothing is read, written or measured."""

from __future__ import annotations

from math import inf

from autokd.decide.audit.edge_probes import edges
from autokd.decide.best_forms import StudentInForm, best_student_form, other_forms, why_not_good_enough
from autokd.decide.comparisons import Comparison, Offer, ServedTeacher, Student, compare
from autokd.decide.economics import economics, monthly_usd
from autokd.decide.evidence import Evidence
from autokd.decide.explain.condition import condition
from autokd.decide.explain.reasons import key_reasons, reasons, shown_students, summary
from autokd.decide.explain.refusals import refusals, teacher_refusals
from autokd.decide.policy import Judgement, judge, pays
from autokd.decide.sensitivity import changes, nearest_changes
from autokd.decide.statistics.intervals import Estimate
from autokd.decide.statistics.significance import holm
from autokd.decide.strength import sureness
from autokd.decide.verdict_map import verdict_map
from autokd.records import (
    Advantage,
    Arm,
    Decision,
    Difference,
    Economics,
    FinalistSummary,
    Option,
    OptionForm,
    Options,
    Policy,
    SeededInterval,
)


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The verdict on the evidence under a policy, with its strength, its reasons and what would change it."""
    judged = judge(compare(evidence), policy)
    found = changes(judged)
    sure = sureness(judged, found)
    because = reasons(judged, found)
    return Decision(
        verdict=judged.verdict,
        strength=sure.strength,
        repeatability=sure.repeatability,
        at_stake=sure.at_stake,
        condition=condition(judged, found),
        summary=summary(judged, found),
        reasons=tuple(reason.sentence for reason in because),
        key_reasons=tuple(reason.sentence for reason in key_reasons(because)),
        weaknesses=sure.weaknesses,
        settles=sure.settles,
        settling_seeds=sure.settling_seeds,
        would_change=tuple(change.sentence for change in found),
        nearest_changes=tuple(change.sentence for change in nearest_changes(judged, found)),
        options=_options(judged),
        gain=_difference(judged.gain),
        gain_over_best=_difference(judged.gain_over_best),
        advantage=_difference(judged.advantage),
        break_even_requests=judged.break_even(judged.pick) if judged.pick else None,
        economics=_economics(judged),
        verdict_map=verdict_map(judged),
        finalists=tuple(
            _finalist(judged, student) for student in (*judged.comparison.students, *judged.comparison.beyond)
        ),
        advantages=_advantages(judged.comparison),
        edges=edges(judged.comparison),
    )


def shown_finalists(evidence: Evidence, policy: Policy) -> tuple[int, ...]:
    """Numbers of the finalists that stand for the arms in the answer."""
    judged = judge(compare(evidence), policy)
    return tuple(student.number for student in shown_students(judged).values())


def _difference(estimate: Estimate | None) -> Difference | None:
    return None if estimate is None else estimate.difference


def _economics(judged: Judgement) -> Economics | None:
    if judged.pick is None:
        return None
    comparison = judged.comparison
    evidence = comparison.evidence
    return economics(evidence.search, judged.policy, comparison.teacher.cost, judged.pick.cost, evidence.drift)


def _advantages(comparison: Comparison) -> tuple[Advantage, ...]:
    """Every contrast of the arms, with p-values corrected for their number."""
    p_values = [estimate.p_value for estimate in comparison.differences.values()]
    return tuple(
        Advantage(**estimate.difference.model_dump(), distilled=distilled, direct=direct, p=p, p_holm=float(adjusted))
        for ((distilled, direct), estimate), p, adjusted in zip(
            comparison.differences.items(), p_values, holm(p_values), strict=True
        )
    )


# ---- options and finalists -------------------------------------------------------------------------------------


def _options(judged: Judgement) -> Options:
    """The teacher, and each arm's pick; an arm without a pick shows its nearest finalist, which is not worthwhile."""

    shown = shown_students(judged)

    def arm(name: Arm) -> Option | None:
        return _student_option(judged, shown[name]) if name in shown else None

    forms = judged.comparison.forms
    return Options(
        teacher=_teacher_option(judged, judged.comparison.teacher),
        teacher_forms=tuple(_teacher_option(judged, form) for form in forms) if len(forms) > 1 else (),
        direct=arm("direct"),
        distilled=arm("distill"),
    )


def _teacher_option(judged: Judgement, form: ServedTeacher) -> Option:
    teacher, why_not = judged.comparison.evidence.teacher, teacher_refusals(form, judged.policy)
    return _option(
        form,
        judged.policy,
        parameters=teacher.parameters,
        ratio=1.0,
        macs=teacher.macs,
        accuracy=form.accuracy,
        one_time=0.0,
        eligible=not why_not,
        why_not=why_not,
    )


def _student_option(judged: Judgement, student: Student) -> Option:
    best = best_student_form(judged.comparison, student, judged.policy)
    option = _option(
        student,
        judged.policy,
        parameters=student.record.parameters,
        ratio=student.record.ratio,
        macs=student.record.macs,
        accuracy=student.accuracy,
        one_time=judged.one_time_usd,
        eligible=student.number in judged.eligible,
        why_not=refusals(judged, student),
    )
    if judged.teacher_eligible:
        paid = pays(student, judged.comparison, judged.policy)
        option = option.model_copy(update={"pays": paid})
    if not any(known.finalist == student.number for known in judged.comparison.evidence.student_forms):
        return option
    forms = tuple(_option_form(judged, form, best) for form in other_forms(judged.comparison, student))
    return option.model_copy(update={"forms": forms, "factor_in_best_forms": _factor(judged, best)})


def _factor(judged: Judgement, student: Student) -> float | None:
    """The teacher's cost / a student's; None where one of them is 0 or cannot be served."""
    teacher, own = judged.comparison.teacher.cost.mean, student.cost.mean
    return teacher / own if 0 < own < inf and 0 < teacher < inf else None


def _option_form(judged: Judgement, student: StudentInForm, best: Student) -> OptionForm:
    form = student.form
    return OptionForm(
        runtime=form.runtime,
        precision=form.precision,
        seed=student.seed,
        cost_usd_per_1k=student.cost.mean,
        noisy=form.reading.noisy,
        val_accuracy=form.val_accuracy,
        test_accuracy=form.test_accuracy,
        lost=student.lost,
        retention=student.retention,
        best=isinstance(best, StudentInForm) and best.form == form,
        why_not=why_not_good_enough(judged.comparison, student, judged.policy),
    )


def _option(
    offer: Offer,
    policy: Policy,
    *,
    parameters: int,
    ratio: float,
    macs: int,
    accuracy: SeededInterval,
    one_time: float,
    eligible: bool,
    why_not: tuple[str, ...],
) -> Option:
    return Option(
        student=offer.name,
        finalist=offer.number,
        parameters=parameters,
        ratio=ratio,
        macs=macs,
        accuracy=accuracy,
        retention=offer.retention,
        cost_usd_per_1k=offer.cost.mean,
        monthly_usd=monthly_usd(offer.cost.mean, policy.requests_per_month),
        latency_ms=offer.reading.latency_ms,
        capacity_rps=offer.reading.capacity_rps,
        batch_size=offer.reading.batch_size,
        load_seconds=offer.reading.load_seconds,
        peak_memory_bytes=offer.reading.peak_memory_bytes,
        energy_wh_per_1k=offer.reading.energy_wh_per_1k,
        one_time_usd=one_time,
        eligible=eligible,
        worthwhile=not why_not,
        noisy=offer.reading.noisy,
        predicted=offer.reading.predicted,
        why_not=why_not,
    )


def _finalist(judged: Judgement, student: Student) -> FinalistSummary:
    record, why_not = student.record, refusals(judged, student)
    return FinalistSummary(
        number=record.number,
        arm=record.arm,
        role=record.role,
        student=record.student,
        twin_of=record.twin_of,
        val_accuracy=record.val_accuracy,
        accuracy=student.accuracy,
        retention=student.retention,
        cost_usd_per_1k=student.cost.mean,
        latency_ms=student.reading.latency_ms,
        noisy=student.reading.noisy,
        predicted=student.reading.predicted,
        device_seconds=sum(result.device_seconds for result in record.seeds),
        weights=record.weights,
        eligible=student.number in judged.eligible,
        worthwhile=not why_not,
        why_not=why_not,
    )
