"""Other quality metrics than accuracy: calibration, single classes, ambiguous images, equal terms.

It is computed once, after the verdict, and moves nothing in it. Looked at are the students of the three options, and
the twin of the distilled one.
"""

from __future__ import annotations

from collections.abc import Callable

from autokd import metrics
from autokd.decide.audit.by_entropy import by_entropy
from autokd.decide.audit.per_class import by_class
from autokd.decide.evidence import Evidence
from autokd.records import (
    Ambiguity,
    Audit,
    Decision,
    Difference,
    EqualTerms,
    Evaluation,
    FinalistRecord,
    Option,
    Quality,
    Subject,
    Teacher,
)
from autokd.runs.arrays import read_teacher_logits
from autokd.runs.folder import Run
from autokd.runs.store import WEIGHTS
from autokd.runs.tables import stored_trials

BYTES = 4  # of a parameter in single precision


def audit(run: Run, evidence: Evidence, decision: Decision) -> Audit:
    """The audit of a decision; reads labels and the teacher's logits, and no student's.

    Raises RunError where evidence.npz is missing or damaged.
    """
    labels, logits = evidence.labels, read_teacher_logits(run.path, len(evidence.labels))
    students = _students(evidence, decision)
    return Audit(
        quality=(
            _teacher_quality(evidence.teacher, logits, labels),
            *(_quality(run, subject, finalist) for subject, finalist in students.items()),
        ),
        classes=tuple(
            by_class(
                subject,
                finalist,
                evidence.correct[finalist.number],
                evidence.teacher_correct,
                labels,
                evidence.task.classes,
            )
            for subject, finalist in students.items()
        ),
        ambiguity=_ambiguity(evidence, decision, metrics.entropy(logits)),
        equal_terms=_equal_terms(run, evidence, decision),
    )


def _students(evidence: Evidence, decision: Decision) -> dict[Subject, FinalistRecord]:
    """The distilled and the direct option and the twin, those that there are and each finalist once."""
    found: dict[Subject, FinalistRecord | None] = {
        "distilled": _record(evidence, decision.options.distilled),
        "direct": _record(evidence, decision.options.direct),
        "twin": _twin(evidence, decision),
    }
    if found["twin"] == found["direct"]:
        del found["twin"]
    return {subject: finalist for subject, finalist in found.items() if finalist}


def _record(evidence: Evidence, option: Option | None) -> FinalistRecord | None:
    number = option.finalist if option else None
    return next((finalist for finalist in evidence.finalists if finalist.number == number), None)


def _twin(evidence: Evidence, decision: Decision) -> FinalistRecord | None:
    """The twin of the distilled option, the lowest number where there are several."""
    distilled = decision.options.distilled
    twins = [f for f in evidence.finalists if distilled and f.arm == "direct" and distilled.finalist in f.twin_of]
    return min(twins, key=lambda finalist: finalist.number, default=None)


# ---- calibration, agreement, size ------------------------------------------------------------------------------


def _teacher_quality(teacher: Teacher, logits: metrics.Logits, labels: metrics.Labels) -> Quality:
    return Quality(
        subject="teacher",
        student=teacher.name,
        finalist=None,
        seeds=1,
        nll=metrics.nll(logits, labels),
        scaled_nll=metrics.nll(logits, labels, teacher.temperature),
        calibration_error=metrics.calibration_error(logits, labels),
        scaled_calibration_error=metrics.calibration_error(logits, labels, teacher.temperature),
        temperature=teacher.temperature,
        agreement=1.0,
        negative_flips=0.0,
        megabytes=teacher.parameters * BYTES / 1e6,
    )


def _quality(run: Run, subject: Subject, finalist: FinalistRecord) -> Quality:
    evaluations = [result.evaluation for result in finalist.seeds if result.evaluation]

    def mean(of: Callable[[Evaluation], float]) -> float | None:
        return sum(map(of, evaluations)) / len(evaluations) if evaluations else None

    return Quality(
        subject=subject,
        student=finalist.student,
        finalist=finalist.number,
        seeds=len(finalist.seeds),
        nll=mean(lambda e: e.nll),
        scaled_nll=mean(lambda e: e.scaled_nll),
        calibration_error=mean(lambda e: e.calibration_error),
        scaled_calibration_error=mean(lambda e: e.scaled_calibration_error),
        temperature=mean(lambda e: e.temperature),
        agreement=mean(lambda e: e.agreement),
        negative_flips=mean(lambda e: e.negative_flips),
        megabytes=_bytes_on_disk(run, finalist) / 1e6,
    )


def _bytes_on_disk(run: Run, finalist: FinalistRecord) -> int:
    """Of the weights that would be shipped; four bytes a parameter where they have been removed."""
    path = run.finalist_path(finalist.number, finalist.shipped.seed) / WEIGHTS
    return path.stat().st_size if path.is_file() else finalist.parameters * BYTES


# ---- ambiguous images ------------------------------------------------------------------------------------------


def _ambiguity(evidence: Evidence, decision: Decision, entropy: metrics.Floats) -> Ambiguity | None:
    distilled, twin = _record(evidence, decision.options.distilled), _twin(evidence, decision)
    if not (distilled and twin):
        return None
    own, other = evidence.correct[distilled.number], evidence.correct[twin.number]
    return by_entropy(distilled, twin, own, other, evidence.teacher_correct, entropy)


# ---- equal terms -----------------------------------------------------------------------------------------------


def _equal_terms(run: Run, evidence: Evidence, decision: Decision) -> tuple[EqualTerms, ...]:
    """The distilled option compared with the direct one (equal trials and epochs) and the longer one (equal seconds).

    Where the direct option was not searched (a published model, a twin) or was trained for other epochs, the most
    accurate of those on validation that were searched, and trained as long, stands for equal trials.
    """
    distilled, direct = _record(evidence, decision.options.distilled), _record(evidence, decision.options.direct)
    if not distilled:
        return ()
    longer = [f for f in evidence.finalists if f.arm == "direct" and f.role == "longer"]
    alike = "longer" if distilled.role == "longer" else "pick"
    if direct and direct.role != alike:
        searched = [f for f in evidence.finalists if f.arm == "direct" and f.role == alike]
        direct = max(searched, key=lambda f: (f.val_accuracy, -f.number), default=None)
    if alike == "longer":
        longer = []  # no direct training had as many device seconds
    rivals = [("trials", direct)] if direct else []
    advantages = {(a.distilled, a.direct): a for a in decision.advantages}
    seconds = _seconds(distilled) + _share_of_soft_labels(run)
    return tuple(
        EqualTerms.model_validate(
            {
                "terms": terms,
                "distilled": distilled.number,
                "direct": rival.number,
                "direct_student": rival.student,
                "advantage": advantages[distilled.number, rival.number].model_dump(
                    include=set(Difference.model_fields)
                ),
                "distilled_seconds": seconds,
                "direct_seconds": _seconds(rival),
            }
        )
        for terms, rival in [*rivals, *(("device_seconds", finalist) for finalist in longer)]
        if (distilled.number, rival.number) in advantages
    )


def _seconds(finalist: FinalistRecord) -> float:
    """Device seconds of one training, a mean over the seeds."""
    return sum(result.device_seconds for result in finalist.seeds) / len(finalist.seeds)


def _share_of_soft_labels(run: Run) -> float:
    """Device seconds of the soft labels for one of the distilled trials, which share them; 0 without any."""
    labels = run.manifest.soft_label_set
    trials = sum(1 for trial in stored_trials(run.path) if trial.arm == "distill")
    return labels.total_seconds / trials if labels and trials else 0.0
