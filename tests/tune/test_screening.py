"""The screening as a source of jobs: rungs, kills, failures, limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autokd.config import SearchConfig
from autokd.errors import MachineError
from autokd.records import Arm, Candidate, EpochReport, Interval, Reading, Recipe
from autokd.runs.folder import Run
from autokd.runs.store import CHECKPOINT, SCREENING
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Outcome
from autokd.tune.screening import ScreeningPlan, ScreeningSource

PLAN = ScreeningPlan(wanted=2, epochs=8, min_retention=0.95, by_cost=False, seed=3)
RECIPE = Recipe(learning_rate=0.002, epochs=8, batch_size=32)
CAUSELESS = Failure(cause="worker", text="it died")


def candidate(number: int, *arms: Arm) -> Candidate:
    cost = Interval(mean=0.001 * (number + 1), low=0.001, high=0.02)
    reading = Reading(
        model="m", capacity_rps=1, latency_ms=None, cost_usd_per_1k=cost, noisy=False, batch_size=8, rounds=3
    )
    sizes = {"family": "f", "parameters": 10, "ratio": 10.0, "macs": 5}
    return Candidate(student=f"s{number}", arms=arms or ("distill", "direct"), reading=reading, **sizes)


TWELVE = [candidate(number) for number in range(12)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", SearchConfig.of(teacher="resnet18", max_cost=1.0))


def source_of(run: Run, candidates: list[Candidate] = TWELVE, plan: ScreeningPlan = PLAN) -> ScreeningSource:
    return ScreeningSource(run, candidates, lambda _: RECIPE, plan)


def accuracy(number: int, epoch: int) -> float:
    """The dearer the better, up to the tenth; all learn on."""
    return 0.5 + 0.02 * min(number, 9) + 0.01 * epoch


def report(number: int, epoch: int) -> EpochReport:
    value = accuracy(number, epoch)
    return EpochReport(epoch=epoch, train_loss=1, val_accuracy=value, val_nll=1, learning_rate=0.1, seconds=2.0)


def train(source: ScreeningSource, job: Job, done: dict[int, int]) -> None:
    """As an engine does: what the checkpoint of an earlier session holds is reported again."""
    folder = Path(job.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHECKPOINT).write_text("")
    number, epochs = job.proposal.number, job.proposal.recipe.epochs
    for epoch in range(1, epochs + 1):
        assert source.report(job.key, report(number, epoch)) == "go"
    done[number] = done.get(number, 0) + epochs
    outcome = Outcome(epochs=epochs, val_accuracy=accuracy(number, epochs), test_accuracy=None, seconds=1.0)
    source.finish(job.key, outcome)


def finished(source: ScreeningSource, done: dict[int, int] | None = None) -> dict[int, int]:
    done = {} if done is None else done
    while (job := source.next()) is not None:
        train(source, job, done)
    return done


def test_a_third_goes_on_at_each_rung_and_the_last_are_the_short_list(run: Run) -> None:
    source = source_of(run)
    epochs = finished(source)
    found = source.close()
    assert [(rung.epochs, rung.staying) for rung in found.rungs] == [(2, 5), (4, 2)]
    assert sorted(epochs.values()) == [2] * 7 + [2 + 4] * 5
    assert found.short_list == ("s9", "s8")
    assert found.looked_at == 12
    assert found.seconds == 2.0 * sum(epochs.values())
    assert {student.state for student in found.students} == {"stopped", "short_list"}
    assert source.total == source.over == 17
    assert source.epochs_left() == 0
    assert {path.name for path in run.path.glob("screening/9/*")} == {"2", "4"}, "each training in a folder of its own"
    assert not [*run.path.rglob(CHECKPOINT)]


def test_a_student_stands_by_the_end_of_its_last_training(run: Run) -> None:
    source = source_of(run)
    finished(source)
    best = source.close().students[9]
    assert best.looks == (accuracy(9, 2), accuracy(9, 4))
    assert best.val_accuracy == accuracy(9, 4)
    assert [training.planned for training in best.trainings] == [2, 4]
    assert best.seconds == 2.0 * best.epochs == 12.0


def test_jobs_are_counted_when_they_end(run: Run) -> None:
    source = source_of(run)
    job = source.next()
    assert job is not None
    for epoch in (1, 2):
        assert (source.over, source.total) == (0, 17)
        source.report(job.key, report(job.proposal.number, epoch))
    assert (source.over, source.total, source.epochs_left()) == (0, 17, 11 * 2 + 5 * 4)
    source.finish(job.key, Outcome(epochs=2, val_accuracy=0.5, test_accuracy=None, seconds=1.0))
    assert (source.over, source.total) == (1, 17)


@pytest.mark.parametrize("jobs", [0, 1, 7, 11, 12, 13, 16, 17])
def test_a_screening_that_was_killed_goes_on_as_if_nothing_had_happened(run: Run, tmp_path: Path, jobs: int) -> None:
    whole = source_of(Run.create(tmp_path / "whole", run.settings))
    finished(whole)
    first, done = source_of(run), {}
    for _ in range(jobs):
        job = first.next()
        assert job is not None
        train(first, job, done)
    if (begun := first.next()) is not None:
        first.report(begun.key, report(begun.proposal.number, 1))
    second = source_of(run)
    assert second.over >= jobs
    finished(second, done)
    assert second.close() == whole.close()


def test_few_students_are_all_on_the_short_list_untrained(run: Run) -> None:
    source = source_of(run, TWELVE[:2])
    assert source.next() is None
    assert set(source.close().short_list) == {"s0", "s1"}
    assert source.screening.looked_at == 0


def test_a_limit_leaves_the_best_of_what_was_seen(run: Run) -> None:
    source, done = source_of(run, plan=replace(PLAN, limited=True)), {}
    for _ in range(6):
        job = source.next()
        assert job is not None
        train(source, job, done)
    found = source.close()
    assert found.short_list == ("s9", "s7")
    assert found.looked_at == 6
    assert SCREENING.read(run.path) == found


def test_a_student_that_fails_is_left_out_and_the_others_go_on(run: Run) -> None:
    source = source_of(run)
    first = source.next()
    assert first is not None
    source.fail(first.key, Failure(cause="training", text="the loss diverged"), retry=False)
    finished(source)
    failed = source.close().students[first.proposal.number]
    assert (failed.state, failed.error) == ("failed", "the loss diverged")


def test_a_worker_that_died_is_no_fault_of_the_student(run: Run) -> None:
    source = source_of(run)
    first = source.next()
    assert first is not None
    source.fail(first.key, CAUSELESS, retry=True)
    assert source.next() == first


def test_failures_in_a_row_without_a_cause_stop_the_run(run: Run) -> None:
    source = source_of(run)
    with pytest.raises(MachineError, match=r"3 trainings in a row failed .*it died.* go on with"):
        for _ in range(3):
            job = source.next()
            assert job is not None
            source.fail(job.key, CAUSELESS, retry=False)


def test_trainings_that_ended_before_such_failures_stay_on_record(run: Run) -> None:
    source, done = source_of(run), {}
    while source.over < 12:
        job = source.next()
        assert job is not None
        train(source, job, done)
    with pytest.raises(MachineError, match="3 trainings in a row failed"):
        for _ in range(3):
            job = source.next()
            assert job is not None and job.proposal.recipe.epochs == 4
            source.fail(job.key, CAUSELESS, retry=False)
    again = source_of(run)
    assert again.screening.seconds == 2.0 * sum(done.values()) == 48.0
    assert again.over == 12 and again.waiting
    assert [*finished(again).values()] == [4] * 5


def test_every_training_of_a_student_has_retries_of_its_own(run: Run) -> None:
    source = source_of(run)
    while (job := source.next()) is not None:
        if job.proposal.student == "s9":
            for _ in range(2):
                assert source.fail(job.key, CAUSELESS, retry=True)
                assert source.next() == job
        train(source, job, {})
    assert source.close().students[9].looks == (accuracy(9, 2), accuracy(9, 4))


def test_a_student_that_failed_counts_as_done_and_leaves_no_checkpoint(run: Run) -> None:
    source = source_of(run)
    job = source.next()
    assert job is not None
    folder = Path(job.folder)
    folder.mkdir(parents=True)
    (folder / CHECKPOINT).write_text("")
    source.fail(job.key, Failure(cause="training", text="the loss diverged"), retry=False)
    assert (source.over, source.total) == (1, 17)
    assert not (folder / CHECKPOINT).exists()


def test_what_a_limit_ended_may_go_on(run: Run) -> None:
    source = source_of(run, plan=replace(PLAN, limited=True))
    job = source.next()
    assert job is not None
    folder = Path(job.folder)
    folder.mkdir(parents=True)
    (folder / CHECKPOINT).write_text("")
    source.report(job.key, report(job.proposal.number, 1))
    assert source.close().students[job.proposal.number].epochs == 1
    assert (folder / CHECKPOINT).exists()


def test_all_students_failing_is_no_evidence(run: Run) -> None:
    source = source_of(run, TWELVE[:3], replace(PLAN, wanted=1))
    while (job := source.next()) is not None:
        source.fail(job.key, Failure(cause="training", text="the loss diverged"), retry=False)
    with pytest.raises(MachineError, match=r"all 3 students failed"):
        source.close()


def test_a_training_that_begins_again_replaces_its_epochs(run: Run) -> None:
    source = source_of(run)
    job = source.next()
    assert job is not None
    number = job.proposal.number
    source.report(job.key, report(number, 1))
    source.report(job.key, report(number, 1).model_copy(update={"val_accuracy": 0.1, "accumulate": 2}))
    student = source.screening.students[number]
    assert student.trainings[0].val_accuracies == (0.1,)
    assert (student.looks, student.val_accuracy) == ((), 0.1)


def test_students_for_one_arm_only_are_kept_for_it(run: Run) -> None:
    large = [candidate(number, "direct") for number in range(12, 18)]
    source = source_of(run, [*TWELVE, *large])
    finished(source)
    found = source.close()
    arms = {student.student: student.arms for student in found.students}
    assert sum("distill" in arms[name] for name in found.short_list) >= 2


def test_the_dearest_are_trained_first_unless_a_limit_may_cut_it_anywhere(run: Run, tmp_path: Path) -> None:
    first = source_of(run).next()
    assert first is not None and first.proposal.student == "s11"
    other = Run.create(tmp_path / "other", run.settings)
    middle = source_of(other, plan=replace(PLAN, limited=True)).next()
    assert middle is not None and middle.proposal.student in {"s5", "s6"}
