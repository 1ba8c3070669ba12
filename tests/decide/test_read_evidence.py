"""Reading evidence from a run folder, and what a damaged one is answered with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made_evidence import direct, distilled, left_out, made_evidence, twin
from written_run import IMAGES, written

from autokd.decide import Evidence, decide, read_evidence
from autokd.errors import RunError
from autokd.files import write_json
from autokd.records import Policy
from autokd.runs.arrays import OUTCOMES, write_evidence
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, FINALISTS


@pytest.fixture
def made() -> Evidence:
    nearest = (left_out("tiny_net", 0.002), left_out("small_net", 0.001))
    return made_evidence(distilled(), direct(accuracy=0.92, seeds=2), twin(), images=IMAGES, nearest=nearest)


@pytest.fixture
def run(tmp_path: Path, made: Evidence) -> Run:
    return written(tmp_path / "run", made)


def test_what_was_written_is_read(run: Run, made: Evidence) -> None:
    found = read_evidence(run)
    for name in ("task", "teacher", "teacher_reading", "cost_model", "finalists", "search"):
        assert getattr(found, name) == getattr(made, name)
    assert (found.teacher_correct == made.teacher_correct).all()
    assert {number: rows.shape for number, rows in found.correct.items()} == {1: (3, 200), 2: (2, 200), 3: (3, 200)}
    assert all((found.correct[number] == rows).all() for number, rows in made.correct.items())
    assert [left.student for left in found.nearest] == ["small_net", "tiny_net"]  # cheapest first
    assert found.budget == 0.001
    policy = Policy(max_cost=0.001)
    assert decide(found, policy).verdict == decide(made, policy).verdict


@pytest.mark.parametrize("content", [None, "[]"])
def test_a_run_without_finalists_is_normal(run: Run, content: str | None) -> None:
    path = run.path / "finalists.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    found = read_evidence(run)
    assert found.finalists == ()
    assert found.correct == {}


@pytest.mark.parametrize(
    "name", ["task.json", "teacher.json", "costs.json", "candidates.json", "search.json", "evidence.npz"]
)
@pytest.mark.parametrize(
    "content", [None, b"", b"{", b"[1]", b'{"odd": 1}'], ids=["missing", "empty", "cut", "list", "odd"]
)
def test_a_damaged_file_is_one_sentence(run: Run, name: str, content: bytes | None) -> None:
    path = run.path / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(RunError, match=name) as error:
        read_evidence(run)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["{}", '[{"number": 1}]', "nonsense"])
def test_damaged_finalists_are_one_sentence(run: Run, content: str) -> None:
    (run.path / "finalists.json").write_text(content)
    with pytest.raises(RunError, match=r"finalists\.json"):
        read_evidence(run)


def test_a_finalist_without_seeds_is_refused(run: Run, made: Evidence) -> None:
    bare = made.finalists[0].model_copy(update={"seeds": ()})
    FINALISTS.write(run.path, (bare,))
    with pytest.raises(RunError, match=r"finalists\.json is damaged \(0\.seeds: .* at least 1 item"):
        read_evidence(run)


@pytest.mark.parametrize(
    "array",
    [np.ones(IMAGES - 1, bool), np.ones((IMAGES, 2), bool), np.ones(IMAGES), np.array([{}], dtype=object)],
    ids=["short", "square", "numbers", "pickled"],
)
def test_damaged_outcomes_are_refused(run: Run, array: np.ndarray) -> None:  # type: ignore[type-arg]
    np.save(run.finalist_path(1, 100) / OUTCOMES, array, allow_pickle=True)
    with pytest.raises(RunError, match=r"1/100/test_correct\.npy"):
        read_evidence(run)


def test_missing_outcomes_are_refused(run: Run) -> None:
    (run.finalist_path(2, 101) / OUTCOMES).unlink()
    with pytest.raises(RunError, match="2/101"):
        read_evidence(run)


def test_a_teacher_that_is_always_wrong_is_refused(run: Run) -> None:
    labels = np.zeros(IMAGES, dtype=int)
    write_evidence(run.path, {"test_labels": labels, "teacher_test_logits": np.tile([0.0, 1.0], (IMAGES, 1))})
    with pytest.raises(RunError, match="no test image right"):
        read_evidence(run)


def test_labels_that_are_none_are_refused(run: Run) -> None:
    write_evidence(run.path, {"test_labels": np.zeros(IMAGES), "teacher_test_logits": np.zeros((IMAGES, 2))})
    with pytest.raises(RunError, match="does not hold test labels"):
        read_evidence(run)


def test_a_reading_of_another_teacher_is_refused(run: Run) -> None:
    content = json.loads((run.path / "costs.json").read_text())
    content["readings"] = {"other_net": content["readings"]["big_net"]}
    write_json(COSTS.path(run.path), content)
    with pytest.raises(RunError, match="no reading of the teacher big_net"):
        read_evidence(run)


def test_deciding_loads_no_machine_room() -> None:
    heavy = ("torch", "torchvision", "timm", "optuna", "ray", "pandas", "scipy.stats", "sklearn")
    code = f"import sys, autokd.decide; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
