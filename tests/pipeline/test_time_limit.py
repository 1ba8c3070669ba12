"""A search with a time limit, by a clock of its own: the limit is kept, and what was left out is said and made up for.

A training takes 4 seconds; the screening takes 8 and the trials up to 32.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import SPACE, FakeParts, Hearing
from test_search import make_config

from autokd.config import SearchConfig
from autokd.pipeline.search import confirm_run, run_search
from autokd.pipeline.services import Prepared
from autokd.progress import Listener
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.runs.store import read_finalists


class Clock:
    """Goes only while something is trained."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def search(
    path: Path, limit: float | None, seconds_per_epoch: float = 1.0, resume: bool = False
) -> tuple[SearchResult, list[str], float]:
    """The result, the notes and the time it took. The estimate says one second an epoch."""
    clock, hearing = Clock(), Hearing()
    parts = FakeParts(clock=clock, wait=clock.wait, seconds_per_epoch=seconds_per_epoch, test_images=500)
    if resume:
        config = Run.open(path).settings.changed({"time_limit": limit})
    else:
        space = path.parent / "tiny.toml"
        space.write_text(SPACE)
        sizes = {"epochs": 4, "trials": 8, "seeds": 3, "finalists": 2, "workers": 1}
        config = make_config(space, path.parent, time_limit=limit, **sizes)
    result = run_search(config, output=path, resume=resume, parts=parts, listener=hearing)
    return result, hearing.notes, clock.now


def left_out(result: SearchResult) -> dict[str, str]:
    notes = result.report.search.notes
    assert len({note.text for note in notes}) == len(notes), "each is told once"
    return {note.kind: note.text for note in notes}


def finalists(result: SearchResult) -> list[tuple[Any, ...]]:
    return [(f.number, f.student, f.recipe, len(f.seeds)) for f in read_finalists(result.path)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResult, list[str], float]:
    return search(tmp_path_factory.mktemp("whole") / "run", 300.0)


@pytest.fixture(scope="module")
def fewer_seeds(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchResult, list[str], float]:
    return search(tmp_path_factory.mktemp("seeds") / "run", 75.0)


def test_with_time_enough_nothing_is_left_out(whole: tuple[SearchResult, list[str], float]) -> None:
    result, told, took = whole
    assert took < 300
    assert left_out(result) == {}
    assert {len(f.seeds) for f in read_finalists(result.path)} == {3}
    assert any("8 of 8 trials; 2 of 2 picks" in note for note in told)


def test_seeds_are_left_out_before_trials(fewer_seeds: tuple[SearchResult, list[str], float]) -> None:
    result, told, took = fewer_seeds
    assert 0.85 * 75 <= took <= 1.1 * 75
    assert len(result.trials) == 8
    found = left_out(result)
    assert found["seeds_left_out"].startswith("The time limit of 1 min 15 s left out: the third seed of")
    assert found["finalists_left_out"].startswith("The time limit of 1 min 15 s left out: ")
    assert result.strength == "weak"
    assert found["seeds_left_out"] in result.report.weaknesses
    assert any("no default and no longer trainings" in note for note in told)


def test_what_was_left_out_is_done_after_a_resume_without_limit(
    fewer_seeds: tuple[SearchResult, list[str], float], whole: tuple[SearchResult, list[str], float], tmp_path: Path
) -> None:
    path = Path(shutil.copytree(fewer_seeds[0].path, tmp_path / "run"))
    resumed, _, _ = search(path, None, resume=True)
    assert finalists(resumed) == finalists(whole[0])
    assert left_out(resumed) == {}


def test_seeds_that_were_left_out_can_be_added(
    fewer_seeds: tuple[SearchResult, list[str], float], tmp_path: Path
) -> None:
    path = Path(shutil.copytree(fewer_seeds[0].path, tmp_path / "run"))
    confirmed = confirm_run(path, 3, parts=FakeParts(test_images=500))
    assert [*left_out(confirmed)] == ["finalists_left_out"]
    assert {f.accuracy.seeds for f in confirmed.report.finalists} == {3}


def test_trials_are_left_out_where_even_the_least_confirmation_would_not_fit(tmp_path: Path) -> None:
    result, _, took = search(tmp_path / "run", 50.0)
    assert 0.8 * 50 <= took <= 1.1 * 50
    assert left_out(result)["arm_cut_short"] == "The time limit of 50 s left out: 2 of 8 trials."
    assert result.trials["arm"].value_counts().to_dict() == {"distill": 3, "direct": 3}
    assert {f.arm for f in result.report.finalists} == {"distill", "direct"}
    assert result.report.gain is not None


def test_slower_than_estimated(tmp_path: Path) -> None:
    result, _, took = search(tmp_path / "run", 120.0, seconds_per_epoch=3.0)
    assert 0.8 * 120 <= took <= 1.1 * 120
    assert {f.arm for f in result.report.finalists} == {"distill", "direct"}
    assert result.strength == "weak"


def test_too_short_for_anything_until_it_is_resumed(
    whole: tuple[SearchResult, list[str], float], tmp_path: Path
) -> None:
    result, told, took = search(tmp_path / "run", 3.0, seconds_per_epoch=2.0)
    assert took <= 3.3 + 2
    said = [note for note in told if "too short for a verdict with evidence" in note]
    assert len(said) == 1
    assert "at least about 33 s are needed; what fits is done" in said[0]
    assert "too short" in left_out(result)["time_limit"]
    assert result.strength == "weak"
    assert result.report.finalists == ()
    resumed, _, _ = search(tmp_path / "run", None, resume=True)
    assert finalists(resumed) == finalists(whole[0])
    assert left_out(resumed) == {}


def test_a_training_that_runs_past_the_limit_is_ended(tmp_path: Path) -> None:
    result, _, took = search(tmp_path / "run", 10.0, seconds_per_epoch=5.0)
    assert took <= 11 + 5
    assert result.report.search.complete == 0


def test_a_teacher_that_the_limit_cut_makes_the_verdict_weak_and_stays_as_it_is(tmp_path: Path) -> None:
    class Cut(FakeParts):
        def prepare(self, config: SearchConfig, listener: Listener) -> Prepared:
            prepared = super().prepare(config, listener)
            limited = {"epochs": config.teacher_epochs or 3, "epochs_left_out": 5 if config.time_limit else 0}
            return replace(prepared, teacher=prepared.teacher.model_copy(update=limited))

    (tmp_path / "tiny.toml").write_text(SPACE)
    config = make_config(tmp_path / "tiny.toml", tmp_path, time_limit=1e6, workers=1)
    result = run_search(config, output=tmp_path / "run", parts=Cut(test_images=500))
    told = "The time limit left the teacher 3 of 8 epochs. Needed: a search with more time."
    assert left_out(result)["teacher_cut_short"] == told
    assert result.strength == "weak"
    again = confirm_run(tmp_path / "run", 4, parts=Cut(test_images=500))
    assert left_out(again)["teacher_cut_short"] == told


def test_teacher_and_soft_labels_alone_may_take_more(tmp_path: Path, space_file: Path) -> None:
    clock, hearing = Clock(), Hearing()

    class Slow(FakeParts):
        def prepare(self, *given: Any) -> Any:
            clock.wait(100.0)
            return super().prepare(*given)

    config = make_config(space_file, tmp_path, time_limit="30s", workers=1)
    result = run_search(config, output=tmp_path / "run", parts=Slow(clock=clock, wait=clock.wait), listener=hearing)
    assert any("alone took 2 min, more than the time limit of 30 s" in note for note in hearing.notes)
    assert result.trials.empty
    assert result.strength == "weak"
