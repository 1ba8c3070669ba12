"""Made-up evidence as a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autokd.config import SearchConfig
from autokd.decide import Evidence
from autokd.runs.arrays import STUDENT_FORMS, TEACHER_FORMS, write_correct, write_evidence, write_forms_correct
from autokd.runs.folder import Run
from autokd.runs.store import CANDIDATES, COSTS, FINALISTS, SEARCH, TASK, TEACHER, CandidateList, Costs

IMAGES = 200


def written(path: Path, evidence: Evidence, **settings: Any) -> Run:
    """A run folder that holds this evidence, as the other rooms leave it."""
    run = Run.create(path, SearchConfig.of(**{"teacher": "big_net", "max_cost": 0.001, **settings}))
    labels = np.random.default_rng(0).integers(0, 2, IMAGES)
    TASK.write(path, evidence.task)
    TEACHER.write(path, evidence.teacher)
    SEARCH.write(path, evidence.search)
    readings = {"big_net": evidence.teacher_reading}
    costs = {"cost_model": evidence.cost_model, "drift": evidence.drift}
    costs |= {"teacher_forms": evidence.teacher_forms, "student_forms": evidence.student_forms}
    COSTS.write(path, Costs(readings=readings, **costs))
    write_forms_correct(path / TEACHER_FORMS, evidence.forms_correct)
    write_forms_correct(path / STUDENT_FORMS, evidence.student_forms_correct)
    CANDIDATES.write(path, CandidateList(candidates=(), left_out=evidence.nearest))
    FINALISTS.write(path, evidence.finalists)
    teacher = logits(labels, evidence.teacher_correct)
    write_evidence(path, {"test_labels": labels, "teacher_test_logits": teacher, "val_labels": labels})
    for finalist in evidence.finalists:
        for result, row in zip(finalist.seeds, evidence.correct[finalist.number], strict=True):
            write_correct(run.finalist_path(finalist.number, result.seed), row)
    return run


def logits(labels: np.ndarray, correct: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Half-precision logits of two classes whose largest is the label where `correct`."""
    says = np.where(correct, labels, 1 - labels)
    return np.stack([says == 0, says == 1], axis=1).astype(np.float16) * 3
