"""Whole searches where the soft labels do not fit: fewer views or a live teacher, said in the run's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, Hearing

import autokd
from autokd.config import SearchConfig
from autokd.pipeline.search import run_search
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.runs.store import SEARCH
from autokd.soft_labels import disk_plan
from autokd.training import loop
from autokd.tune import worker

VIEW = 90 * 3 * 2  # bytes of a view
EPOCHS = 3


@pytest.fixture
def search(quick, tmp_path, monkeypatch):
    """A search on 90 patterns whose disk has `free` bytes, and every training that it made."""
    trainings: list[loop.Training] = []

    def search(free: float, **options: Any) -> tuple[SearchResult, list[loop.Training], list[str]]:
        class Usage:
            """A disk."""

        Usage.free = free
        monkeypatch.setattr(disk_plan.shutil, "disk_usage", lambda _: Usage)
        monkeypatch.setattr(worker, "train", lambda training: trainings.append(training) or loop.train(training))
        hearing = Hearing()
        settings = {**quick, "epochs": EPOCHS, "resident_gb": 1.0, "output": tmp_path / "run", "listener": hearing}
        result = autokd.search(**{**settings, **options})
        return result, trainings, hearing.notes

    return search


def remarks(result: SearchResult) -> list[str]:
    """What is remarked on soft labels; there is one remark on the students' weights beside it."""
    found = [remark.text for remark in SEARCH.read(result.path).remarks]
    (weights,) = [remark for remark in found if "random weights" in remark]
    return [remark for remark in found if remark != weights]


@pytest.mark.slow
def test_fewer_views_are_seen_in_turn_by_distilled_students_and_their_twins(search, tmp_path):
    result, trainings, notes = search(2 * VIEW / 0.9 + 1)
    (remark,) = remarks(result)
    assert remark in notes
    assert remark.startswith("Of 3 views of soft labels only 2 are stored: ")
    assert remark in [found.text for found in result.report.search.remarks]
    assert {training.views for training in trainings if training.recipe.alpha > 0} == {2}
    assert {training.views for training in trainings if training.recipe.alpha == 0} == {None, 2}, "twins see these, too"
    assert result.report.search.stages["soft_labels"] > 0
    assert remark in (result.path / "report.html").read_text().replace("&#39;", "'")
    assert not any(remark in weakness for weakness in result.report.weaknesses)


@pytest.mark.slow
def test_a_live_teacher_takes_its_time_in_the_distilled_trainings(search, tmp_path):
    result, trainings, notes = search(10)
    (remark,) = remarks(result)
    assert remark in notes
    assert remark.startswith("No soft labels are stored, as not even half of 3 views fit: ")
    assert {training.views for training in trainings} == {None}
    assert result.report.search.stages["soft_labels"] == 0
    assert not any((autokd.config.default_cache_dir() / "softlabels").iterdir())
    states = {trial.state for trial in result.trials.itertuples()}
    assert states == {"complete"}
    assert {finalist.arm for finalist in result.report.finalists} == {"distill", "direct"}


@pytest.fixture
def one_student(tmp_path: Path) -> str:
    path = tmp_path / "one.toml"
    path.write_text('[students]\ninclude = ["lcnet_035"]\n')
    return str(path)


@pytest.mark.slow
def test_a_live_teacher_goes_to_worker_processes(search, one_student):
    result, _, _ = search(10, epochs=1, workers=2, space=one_student)
    assert {trial.state for trial in result.trials.itertuples()} == {"complete"}
    assert len(remarks(result)) == 1


@pytest.mark.ray
@pytest.mark.slow
def test_a_live_teacher_goes_to_ray(search, one_student):
    import ray

    try:
        result, _, _ = search(10, epochs=1, workers=1, engine="ray", space=one_student)
    finally:
        ray.shutdown()
    assert {trial.state for trial in result.trials.itertuples()} == {"complete"}
    assert len(remarks(result)) == 1


def test_what_is_remarked_outlasts_the_session(space_file: Path, tmp_path: Path) -> None:
    config = SearchConfig.of(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=6, trials=4, cache_dir=tmp_path / "cache"
    )
    parts = FakeParts(labelled={"remarks": ("Half of it fits.",)})
    result = run_search(config, output=tmp_path / "run", parts=parts)
    assert remarks(result) == ["Half of it fits."]
    assert Run(result.path).manifest.soft_label_set.views == 6
    assert result.report.search.notes == ()

    class Asking(FakeParts):
        def soft_labels(self, prepared, config, listener, since, settled=None):
            asked.append(settled)
            return super().soft_labels(prepared, config, listener, since)

    asked: list[Any] = []
    run_search(config, output=tmp_path / "run", parts=Asking(), resume=True)
    assert asked[0].remarks == ("Half of it fits.",)
