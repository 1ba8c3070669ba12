"""Made-up evidence as a run folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from autokd.config import SearchConfig
from autokd.decide import Evidence
from autokd.records import Record
from autokd.runs.folder import Run

IMAGES = 200


def written(path: Path, evidence: Evidence) -> Run:
    """A run folder that holds this evidence, as the other rooms leave it."""
    run = Run.create(path, SearchConfig.of(teacher="big_net", max_cost=0.001))
    labels = np.random.default_rng(0).integers(0, 2, IMAGES)
    _json(run, "task.json", evidence.task)
    _json(run, "teacher.json", evidence.teacher)
    _json(run, "search.json", evidence.search)
    reading = evidence.teacher_reading.model_dump()
    run.write_json(
        path / "costs.json", {"cost_model": evidence.cost_model.model_dump(), "readings": {"big_net": reading}}
    )
    run.write_json(path / "candidates.json", {"candidates": [], "left_out": [n.model_dump() for n in evidence.nearest]})
    run.write_json(path / "finalists.json", [f.model_dump(mode="json") for f in evidence.finalists])
    teacher = logits(labels, evidence.teacher_correct)
    np.savez(run.evidence_path, test_labels=labels, teacher_test_logits=teacher, val_labels=labels)
    for finalist in evidence.finalists:
        for result, row in zip(finalist.seeds, evidence.correct[finalist.number], strict=True):
            folder = run.finalist_path(finalist.number, result.seed)
            folder.mkdir(parents=True)
            np.save(folder / "test_logits.npy", logits(labels, row))
    return run


def logits(labels: np.ndarray, correct: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Half-precision logits of two classes whose largest is the label where `correct`."""
    says = np.where(correct, labels, 1 - labels)
    return np.stack([says == 0, says == 1], axis=1).astype(np.float16) * 3


def _json(run: Run, name: str, record: Record) -> None:
    run.write_json(run.path / name, json.loads(record.model_dump_json()))
