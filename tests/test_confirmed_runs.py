"""What `autokd confirm` leaves behind: interrupted, killed, resumed or with failed trainings, a run stays whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, default_quality

from autokd.config import SearchConfig
from autokd.errors import InterruptedRun, RunError
from autokd.pipeline import confirmation
from autokd.pipeline.search import confirm_run, run_search
from autokd.records import FinalistRecord, Task
from autokd.result import SearchResult, load_run
from autokd.runs.folder import Run
from autokd.runs.store import FINALISTS
from autokd.tune.engines.protocol import Job


class CarefulParts(FakeParts):
    """Exports only what is there."""

    def export(self, run: Run, finalist: FinalistRecord, weights: Path, task: Task, card: str) -> None:
        if not weights.exists():
            raise RunError(f"{weights} is missing")
        super().export(run, finalist, weights, task, card)


def better_with_every_seed(job: Job) -> float:
    return default_quality(job) + (0.001 * job.seed if job.final else 0.0)


def weights_of(path: Path, finalist: int) -> set[str]:
    return {weights.parent.name for weights in path.glob(f"finalists/{finalist}/*/weights.safetensors")}


@pytest.fixture
def interrupted(settings: SearchConfig, tmp_path: Path) -> SearchResult:
    """A finished run, interrupted when it had six of six seeds of the longer trainings, and four of the others."""
    parts = CarefulParts(quality=better_with_every_seed)
    done = run_search(settings, output=tmp_path / "run", parts=parts)
    assert weights_of(done.path, 0) == {"3"}
    more = CarefulParts(quality=better_with_every_seed)
    with pytest.raises(InterruptedRun):
        confirm_run(done.path, 6, parts=more, stop=lambda: len(more.trained) >= len(done.report.finalists) + 5)
    return done


def test_the_weights_that_a_record_names_outlive_an_interrupted_confirmation(
    interrupted: SearchResult, settings: SearchConfig
) -> None:
    again = run_search(
        settings, output=interrupted.path, resume=True, parts=CarefulParts(quality=better_with_every_seed)
    )
    assert again.report.options == interrupted.report.options


def test_fewer_seeds_than_an_interrupted_confirmation_wanted_can_be_asked_for(interrupted: SearchResult) -> None:
    assert weights_of(interrupted.path, 2) == {"3", "4", "5", "6"}
    parts = CarefulParts(quality=better_with_every_seed)
    fewer = confirm_run(interrupted.path, 4, parts=parts)
    assert not parts.trained
    assert {f.accuracy.seeds for f in fewer.report.finalists} == {4}
    assert weights_of(interrupted.path, 2) == {"4", "5", "6"}, "the others are trained and may be asked for next"
    confirm_run(interrupted.path, 6, parts=CarefulParts(quality=better_with_every_seed))
    assert weights_of(interrupted.path, 2) == {"6"}


def test_a_confirmed_run_that_is_resumed_keeps_its_seeds_and_its_looks(
    done: SearchResult, settings: SearchConfig
) -> None:
    confirmed = confirm_run(done.path, 5, parts=FakeParts())
    parts = FakeParts()
    resumed = run_search(settings, output=done.path, resume=True, parts=parts)
    assert not parts.trained
    assert resumed.report.model_copy(update={"created": confirmed.report.created}) == confirmed.report
    assert Run(done.path).manifest.looks == (3, 5)
    with pytest.raises(RunError, match="have 5 seeds already"):
        confirm_run(done.path, 5, parts=FakeParts())


def test_a_student_that_is_no_longer_recommended_is_removed(done: SearchResult) -> None:
    stale = done.path / "student"
    assert stale.is_dir()
    kept = confirm_run(done.path, 5, parts=FakeParts(quality=lambda job: default_quality(job) - 0.5 * (job.seed > 3)))
    assert kept.verdict == "keep_teacher"
    assert not stale.exists()
    stale.mkdir()
    (stale / "config.json").write_text("{}")
    with pytest.raises(RunError, match="is keep_teacher: it recommends no student"):
        kept.student()


def test_a_student_that_was_lost_can_be_written_again(done: SearchResult) -> None:
    with pytest.raises(RunError, match=r"holds no student; `autokd search --resume --output .*` writes it again"):
        done.student()  # nothing is exported here


# ---- a training that failed ------------------------------------------------------------------------------------


def failing(job: Job) -> float:
    if job.final and job.proposal.number == 2 and job.seed == 4:
        raise ValueError("boom")
    return default_quality(job)


def test_a_failure_is_told_with_its_remedy_and_forgotten_when_the_gap_is_filled(done: SearchResult) -> None:
    weak = confirm_run(done.path, 5, parts=FakeParts(quality=failing))
    assert weak.report.strength == "weak"
    told = [note.text for note in weak.report.search.notes if note.kind == "finalist_failed"]
    assert len(told) == 1
    assert told[0].endswith("`autokd confirm RUN --seeds 5` trains it again")
    parts = FakeParts()
    whole = confirm_run(done.path, 5, parts=parts)
    assert parts.trained == ["finalist-2-4"]
    assert {f.accuracy.seeds for f in whole.report.finalists} == {5}
    assert whole.report.search.notes == ()
    assert Run(done.path).manifest.looks == (3, 5, 5), "it is decided again on new images"
    assert {f.accuracy.level for f in whole.report.finalists} == {0.9875}
    with pytest.raises(RunError, match="have 5 seeds already"):
        confirm_run(done.path, 5, parts=FakeParts())


def test_a_failure_is_told_once_however_often_it_happens(done: SearchResult) -> None:
    for seeds in (5, 5, 6):
        again = confirm_run(done.path, seeds, parts=FakeParts(quality=failing))
        assert sum("failed from seed 4" in note.text for note in again.report.search.notes) == 1
    assert Run(done.path).manifest.looks == (3, 5, 6), "nothing new was seen the second time"


def test_a_gap_that_a_resumption_fills_is_another_look(settings: SearchConfig, tmp_path: Path) -> None:
    def explode(job: Job) -> float:
        if job.key == "finalist-2-3":
            raise ValueError("boom")
        return default_quality(job)

    weak = run_search(settings, output=tmp_path / "run", parts=FakeParts(quality=explode))
    assert weak.report.strength == "weak"
    whole = run_search(settings, output=tmp_path / "run", resume=True, parts=FakeParts())
    assert whole.report.search.notes == ()
    assert {f.accuracy.level for f in whole.report.finalists} == {0.975}
    assert any(remark.kind == "look" and "look 2" in remark.text for remark in whole.report.search.remarks)


def test_a_finalist_without_two_seeds_is_trained_again_by_going_on_with_the_search(
    settings: SearchConfig, tmp_path: Path
) -> None:
    def explode(job: Job) -> float:
        if job.final and job.proposal.number == 2:
            raise ValueError("boom")
        return default_quality(job)

    weak = run_search(settings, output=tmp_path / "run", parts=FakeParts(quality=explode))
    assert 2 not in {f.number for f in weak.report.finalists}
    assert weak.report.search.notes[-1].text.endswith("`autokd search --resume --output RUN` trains it again")


# ---- a kill ----------------------------------------------------------------------------------------------------


def test_a_kill_once_the_seeds_can_be_read_has_spent_the_look(
    done: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(confirmation, "write_finalists", killed)  # the first that follows finalists.json
        confirm_run(done.path, 5, parts=FakeParts())
    seen = load_run(done.path).decide()
    assert {(f.accuracy.seeds, f.accuracy.level) for f in seen.finalists} == {(5, 0.975)}
    with pytest.raises(RunError, match=r"a look at 5 seeds of .* has begun; go on with it: seeds=5"):
        confirm_run(done.path, 4, parts=FakeParts())
    confirm_run(done.path, 5, parts=FakeParts())
    assert Run(done.path).manifest.looks == (3, 5)


def test_a_kill_before_the_seeds_can_be_read_spends_the_look_once(
    done: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path, content: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="killed"):
        patched.setattr(FINALISTS, "write", killed)
        confirm_run(done.path, 5, parts=FakeParts())
    confirm_run(done.path, 5, parts=FakeParts())
    assert Run(done.path).manifest.looks == (3, 5)
