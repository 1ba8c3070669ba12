"""An audit of the believable run, made by the real functions from made-up answers of its students."""

from __future__ import annotations

import numpy as np
from believable_run import TEACHER_PARAMETERS, make_finalists

from autokd.decide.audit.by_entropy import by_entropy
from autokd.decide.audit.per_class import by_class
from autokd.records import Audit, Difference, EqualTerms, FinalistRecord, Quality, Subject

SUBJECTS: dict[Subject, int] = {"distilled": 100, "direct": 103, "twin": 102}


def make_audit(names: tuple[str, ...] = tuple("0123456789"), images: int = 3_600) -> Audit:
    """Everything that an audit can hold; the students lose images of the second class, the distilled one fewer."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % len(names)
    hardness = rng.random(images)
    finalists = {finalist.number: finalist for finalist in make_finalists()}
    limits = {100: 0.95, 103: 0.94, 102: 0.93}
    handicap = np.where(labels == 1, 0.06, 0.0)
    correct = {n: hardness + rng.normal(0, 0.01, (3, images)) + handicap < limit for n, limit in limits.items()}
    teacher = hardness + rng.normal(0, 0.01, images) < 0.955
    return Audit(
        quality=(
            _quality("teacher", None, 1.31, TEACHER_PARAMETERS * 4e-6),
            *(_quality(s, finalists[n], 1.1, finalists[n].parameters * 4e-6) for s, n in SUBJECTS.items()),
        ),
        classes=tuple(
            by_class(s, finalists[n], correct[n], teacher, labels.astype(np.int64), names) for s, n in SUBJECTS.items()
        ),
        ambiguity=by_entropy(finalists[100], finalists[102], correct[100], correct[102], teacher, hardness**4),
        equal_terms=(
            _terms("trials", finalists[103], 75.7, 61.5, 0.010),
            _terms("device_seconds", finalists[104], 75.7, 74.1, 0.008),
        ),
    )


def _quality(subject: Subject, finalist: FinalistRecord | None, temperature: float, megabytes: float) -> Quality:
    return Quality(
        subject=subject,
        student=finalist.student if finalist else "resnet152",
        finalist=finalist.number if finalist else None,
        seeds=3 if finalist else 1,
        nll=0.1312,
        scaled_nll=0.1187,
        calibration_error=0.0214,
        scaled_calibration_error=0.0093,
        temperature=temperature,
        agreement=0.958 if finalist else 1.0,
        negative_flips=0.021 if finalist else 0.0,
        megabytes=megabytes,
    )


def _terms(terms: str, direct: FinalistRecord, distilled_s: float, direct_s: float, mean: float) -> EqualTerms:
    return EqualTerms.model_validate(
        {
            "terms": terms,
            "distilled": 100,
            "direct": direct.number,
            "direct_student": direct.student,
            "advantage": Difference(mean=mean, low=mean - 0.011, high=mean + 0.011, detectable=0.009),
            "distilled_seconds": distilled_s,
            "direct_seconds": direct_s,
        }
    )
