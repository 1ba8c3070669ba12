"""A search with a time limit, by a clock of its own: kept within 10 %, and what was left out is said and made up for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, Hearing
from test_search import make_config

from autokd.pipeline.search import confirm_run, run_search
from autokd.result import SearchResult

EVERYTHING = 300.0  # seconds, and more than a whole search takes


class Clock:
    """Goes only while something is trained."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def search(
    path: Path, space: Path, limit: float | None, speed: float = 1.0, options: Any = None, **settings: Any
) -> tuple[SearchResult, Hearing, Clock]:
    clock, hearing = Clock(), Hearing()
    parts = FakeParts(clock=clock, wait=clock.wait, seconds_per_epoch=speed)
    config = make_config(space, path.parent, time_limit=limit, **{"workers": 1, "seeds": 3, "finalists": 2, **settings})
    result = run_search(config, output=path, parts=parts, listener=hearing, **(options or {}))
    return result, hearing, clock


def notes(result: SearchResult) -> dict[str, str]:
    return {note.kind: note.text for note in result.report.search.notes}


def test_with_time_enough_nothing_is_left_out(space_file: Path, tmp_path: Path) -> None:
    limited, hearing, clock = search(tmp_path / "limited", space_file, EVERYTHING)
    free, _, _ = search(tmp_path / "free", space_file, None)
    assert clock.now < EVERYTHING
    assert limited.report.finalists == free.report.finalists
    assert notes(limited) == {}
    assert any("planned: 100% of the screening; 8 of 8 trials; 2 of 2 picks" in note for note in hearing.notes)


@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("limit", [90.0, 130.0, 170.0])
def test_the_limit_is_kept_whatever_the_estimate_was(
    space_file: Path, tmp_path: Path, limit: float, speed: float
) -> None:
    """The estimate says one second an epoch."""
    result, _, clock = search(tmp_path / "run", space_file, limit, speed)
    assert clock.now <= 1.1 * limit
    assert result.report.strength == "weak" or notes(result) == {}
    if speed < 3:
        assert clock.now >= 0.8 * limit or notes(result) == {}
        assert {f.accuracy.seeds for f in result.report.finalists if f.role in ("pick", "twin")} <= {2, 3}
        assert {f.arm for f in result.report.finalists} == {"distill", "direct"}


def test_seeds_are_left_out_before_trials(space_file: Path, tmp_path: Path) -> None:
    result, _, _ = search(tmp_path / "run", space_file, 140.0)
    found = notes(result)
    assert len(result.trials) == 8
    assert found["seeds_left_out"].startswith("The time limit of 2 min 20 s left out: the third seed of")
    assert result.strength == "weak"
    assert found["seeds_left_out"] in result.report.weaknesses


def test_trials_are_left_out_where_even_the_least_confirmation_would_not_fit(space_file: Path, tmp_path: Path) -> None:
    result, _, clock = search(tmp_path / "run", space_file, 75.0)
    assert notes(result)["arm_cut_short"].startswith("The time limit of 1 min 15 s left out: ")
    arms = result.trials["arm"].value_counts().to_dict()
    assert arms["distill"] == arms["direct"] < 4
    assert {f.arm for f in result.report.finalists} == {"distill", "direct"}
    assert result.report.gain is not None


def test_too_short_for_anything(space_file: Path, tmp_path: Path) -> None:
    result, hearing, clock = search(tmp_path / "run", space_file, 5.0)
    assert clock.now <= 5.5
    said = [note for note in hearing.notes if "too short for a verdict with evidence" in note]
    assert len(said) == 1
    assert "at least about 49 s are needed" in said[0]
    assert "too short" in notes(result)["time_limit"]
    assert result.strength == "weak"
    assert result.report.finalists == ()


def test_teacher_and_soft_labels_alone_may_take_more(space_file: Path, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("limit", [5.0, 60.0, 75.0, 140.0])
def test_what_was_left_out_is_done_after_a_resume_without_limit(space_file: Path, tmp_path: Path, limit: float) -> None:
    search(tmp_path / "run", space_file, limit)
    resumed, _, _ = search(tmp_path / "run", space_file, None, options={"resume": True})
    whole, _, _ = search(tmp_path / "whole", space_file, None)
    assert len(resumed.trials) == 8
    assert [(f.student, f.recipe, f.accuracy.seeds) for f in resumed.report.finalists] == [
        (f.student, f.recipe, f.accuracy.seeds) for f in whole.report.finalists
    ]
    assert notes(resumed) == {}


def test_a_resume_has_the_whole_limit_again(space_file: Path, tmp_path: Path) -> None:
    for session in range(6):
        result, _, clock = search(tmp_path / "run", space_file, 60.0, options={"resume": session > 0})
        assert clock.now <= 66
    assert notes(result) == {}


def test_seeds_that_were_left_out_can_be_added(space_file: Path, tmp_path: Path) -> None:
    result, _, _ = search(tmp_path / "run", space_file, 140.0)
    assert "seeds_left_out" in notes(result)
    confirmed = confirm_run(result.path, 3, parts=FakeParts())
    assert "seeds_left_out" not in notes(confirmed)
    assert {f.accuracy.seeds for f in confirmed.report.finalists} == {3}


def test_a_training_much_slower_than_estimated_is_ended(space_file: Path, tmp_path: Path) -> None:
    result, _, clock = search(tmp_path / "run", space_file, 20.0, speed=7.0)
    assert clock.now <= 22 + 7
    assert result.strength == "weak"


def test_a_screening_looks_at_students_all_along_the_front_of_cost(space_file: Path, tmp_path: Path) -> None:
    result, _, _ = search(tmp_path / "run", space_file, 62.0, trials=4)
    looked_at, count = result.report.search.looked_at, result.report.search.candidates
    assert count == 4
    assert looked_at < 4
    assert "screening_cut_short" in notes(result)
