"""The audit of a run folder: whom it looks at, and where its figures come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from believable_run import make_trials
from made_evidence import direct, distilled, made_evidence, twin
from written_run import IMAGES, written

from autokd import metrics
from autokd.decide import Evidence, decide, read_evidence
from autokd.decide.audit.audit import audit
from autokd.errors import RunError
from autokd.files import write_json
from autokd.records import Audit, Evaluation, Policy, SoftLabelSet
from autokd.runs.arrays import EVIDENCE
from autokd.runs.folder import Run
from autokd.runs.store import FINALISTS
from autokd.runs.tables import write_trials

EVALUATION = Evaluation(
    accuracy=0.9,
    nll=0.4,
    calibration_error=0.05,
    temperature=1.2,
    scaled_nll=0.3,
    scaled_calibration_error=0.02,
    agreement=0.95,
    negative_flips=0.03,
    recall=(0.9, 0.9),
)
POLICY = Policy(max_cost=0.001, min_retention=0.5)


def evidence() -> Evidence:
    longer = direct(4, accuracy=0.93, val=0.91, role="longer")
    return made_evidence(distilled(), direct(accuracy=0.92, seeds=2), twin(), longer, images=IMAGES)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = written(tmp_path / "run", evidence())
    labels = SoftLabelSet(folder="", views=1, wanted=1, reused=0, seconds=30.0, total_seconds=30.0)
    made.keep_soft_labels(labels)
    write_trials(made.path, make_trials(5))
    return made


def audited(run: Run) -> Audit:
    found = read_evidence(run)
    return audit(run, found, decide(found, POLICY))


def test_it_looks_at_the_three_options_and_the_twin(run: Run) -> None:
    found = audited(run)
    assert [(q.subject, q.finalist) for q in found.quality] == [
        ("teacher", None),
        ("distilled", 1),
        ("direct", 2),
        ("twin", 3),
    ]
    assert [(c.subject, c.finalist, c.seed) for c in found.classes] == [
        ("distilled", 1, 100),
        ("direct", 2, 100),
        ("twin", 3, 100),
    ]
    assert found.ambiguity is not None and (found.ambiguity.distilled, found.ambiguity.twin) == (1, 3)
    assert Audit.model_validate(json.loads(found.model_dump_json())) == found


def test_the_teachers_figures_come_from_its_logits(run: Run) -> None:
    with np.load(run.path / EVIDENCE) as known:
        logits, labels = known["teacher_test_logits"], known["test_labels"]
    teacher = audited(run).quality[0]
    assert teacher.nll == metrics.nll(logits, labels)
    assert teacher.calibration_error == metrics.calibration_error(logits, labels)
    assert teacher.megabytes == 240.0
    assert (teacher.agreement, teacher.negative_flips) == (1.0, 0.0)


def test_a_students_figures_are_means_over_its_seeds(run: Run) -> None:
    content = json.loads((run.path / "finalists.json").read_text())
    for k, seed in enumerate(content[0]["seeds"]):
        seed["evaluation"] = json.loads(EVALUATION.model_copy(update={"nll": 0.4 + 0.1 * k}).model_dump_json())
    write_json(FINALISTS.path(run.path), content)
    (run.finalist_path(1, 100) / "weights.safetensors").write_bytes(b"x" * 2_500_000)
    student, other = audited(run).quality[1:3]
    assert student.nll == pytest.approx(0.5)
    assert (student.scaled_nll, student.agreement) == pytest.approx((0.3, 0.95))
    assert student.megabytes == 2.5
    assert (other.nll, other.scaled_nll, other.temperature, other.megabytes) == (None, None, None, 20.0)


def test_equal_terms_carry_the_seconds_of_both(run: Run) -> None:
    found = read_evidence(run)
    decision = decide(found, POLICY)
    trials, seconds = audit(run, found, decision).equal_terms
    assert (trials.terms, trials.direct, seconds.terms, seconds.direct) == ("trials", 2, "device_seconds", 4)
    assert trials.distilled_seconds == seconds.distilled_seconds == pytest.approx(60 + 30 / 3)
    assert trials.direct_seconds == 60
    expected = next(a for a in decision.advantages if (a.distilled, a.direct) == (1, 4))
    assert (seconds.advantage.mean, seconds.advantage.low) == (expected.mean, expected.low)


def test_where_the_longer_training_is_the_option_a_searched_one_stands_for_equal_trials(tmp_path: Path) -> None:
    longer = direct(4, accuracy=0.93, role="longer")
    run = written(tmp_path / "run", made_evidence(distilled(), direct(accuracy=0.92), twin(), longer, images=IMAGES))
    found = audited(run)
    assert [q.finalist for q in found.quality] == [None, 1, 4, 3]
    assert [(e.terms, e.direct) for e in found.equal_terms] == [("trials", 2), ("device_seconds", 4)]


def test_without_soft_labels_or_trials_the_share_is_nothing(run: Run) -> None:
    (run.path / "trials.csv").unlink()
    assert audited(run).equal_terms[0].distilled_seconds == 60


def test_a_twin_that_is_the_direct_option_is_looked_at_once(tmp_path: Path) -> None:
    run = written(tmp_path / "run", made_evidence(distilled(), twin(), images=IMAGES))
    assert [c.subject for c in audited(run).classes] == ["distilled", "direct"]
    assert audited(run).ambiguity is not None


def test_without_finalists_there_is_the_teacher_alone(tmp_path: Path) -> None:
    found = audited(written(tmp_path / "run", made_evidence(images=IMAGES)))
    assert [q.subject for q in found.quality] == ["teacher"]
    assert (found.classes, found.ambiguity, found.equal_terms) == ((), None, ())


def test_missing_evidence_is_one_sentence(run: Run) -> None:
    found = read_evidence(run)
    (run.path / EVIDENCE).unlink()
    with pytest.raises(RunError, match=r"evidence\.npz"):
        audit(run, found, decide(found, POLICY))


def test_logits_of_other_images_are_refused(run: Run) -> None:
    found = read_evidence(run)
    np.savez(run.path / EVIDENCE, teacher_test_logits=np.zeros((IMAGES - 1, 2)))
    with pytest.raises(RunError, match=f"of the {IMAGES} images"):
        audit(run, found, decide(found, POLICY))
