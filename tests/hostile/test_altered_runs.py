"""What a verdict rests on is missing or was altered: no verdict is told, and the sentence names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeParts

from autokd.config import SearchConfig
from autokd.errors import RunError
from autokd.pipeline.search import confirm_run, run_search
from autokd.result import SearchResult, load_run

RESTS_ON = (
    "task.json", "teacher.json", "costs.json", "candidates.json", "search.json", "finalists.json", "evidence.npz",
    "finalists/0/1/test_correct.npy",
)  # fmt: skip


def edited(name: str, edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    def inflict(path: Path) -> None:
        content = edit(json.loads((path / name).read_text()))
        (path / name).write_text(json.dumps(content))

    return inflict


def better(path: Path) -> None:
    np.save(path / "finalists/0/1/test_correct.npy", np.ones(2000, bool))


def cheaper(costs: Any) -> Any:
    for reading in costs["readings"].values():
        reading["cost_usd_per_1k"]["mean"] /= 2
    return costs


ALTERED = {
    "one finalist of several": edited("finalists.json", lambda finalists: finalists[:1]),
    "a costlier teacher": edited("costs.json", cheaper),
    "better outcomes": better,
    "another teacher accuracy": edited("teacher.json", lambda teacher: {**teacher, "test_accuracy": 0.5}),
    "no notes": edited("search.json", lambda search: {**search, "trials": 99}),
}


@pytest.mark.parametrize("name", RESTS_ON)
def test_a_missing_file_is_named(done: SearchResult, name: str) -> None:
    (done.path / name).unlink()
    with pytest.raises(RunError, match=rf"{name}, which the verdict rests on, is missing; restore it"):
        done.decide(max_cost=0.5)


@pytest.mark.parametrize("alteration", ALTERED)
def test_an_altered_file_is_noticed(done: SearchResult, alteration: str) -> None:
    ALTERED[alteration](done.path)
    with pytest.raises(RunError, match="is not what this run has written: it was altered or exchanged; restore it"):
        done.decide(max_cost=0.5)


def test_files_of_another_run_are_noticed(done: SearchResult, settings: SearchConfig, tmp_path: Path) -> None:
    other = run_search(settings.changed({"seed": 5}), output=tmp_path / "other", parts=FakeParts())
    shutil.copy(other.path / "finalists.json", done.path)
    with pytest.raises(RunError, match=r"finalists\.json is not what this run has written"):
        done.decide(max_cost=0.5)


def test_outcomes_have_to_add_up_to_the_accuracies_on_record(done: SearchResult) -> None:
    better(done.path)
    manifest = json.loads((done.path / "run.json").read_text())
    (done.path / "run.json").write_text(json.dumps({**manifest, "checksums": {}}))
    with pytest.raises(
        RunError, match=r"finalist 0 \(seed 1\) has a test accuracy of 9.* but 100\.00% of its outcomes"
    ):
        done.decide(max_cost=0.5)


def test_a_resumed_search_does_not_take_altered_costs(done: SearchResult, settings: SearchConfig) -> None:
    ALTERED["a costlier teacher"](done.path)
    with pytest.raises(RunError, match=r"costs\.json is not what this run has written"):
        run_search(settings, output=done.path, resume=True, parts=FakeParts())


def test_logits_of_another_training_are_noticed(done: SearchResult, settings: SearchConfig) -> None:
    path = done.path / "finalists/0/1/test_logits.npy"
    np.save(path, np.roll(np.load(path), 1, axis=1))
    with pytest.raises(RunError, match=r"finalists/0/1 holds logits of another training"):
        run_search(settings, output=done.path, resume=True, parts=FakeParts())


def test_what_the_run_itself_writes_anew_is_no_alteration(done: SearchResult, settings: SearchConfig) -> None:
    verdict = done.decide().verdict
    assert run_search(settings, output=done.path, resume=True, parts=FakeParts()).decide().verdict == verdict
    assert confirm_run(done.path, 4, parts=FakeParts()).decide().verdict == verdict
    assert load_run(done.path).decide().verdict == verdict
