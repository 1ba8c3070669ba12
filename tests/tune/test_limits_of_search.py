"""Progress, time left, money and limits around a source."""

from __future__ import annotations

from pathlib import Path

from fakes import Hearing
from scripted import RecordingSource, ScriptedFactory, make_job

from autokd.records import EpochReport
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.local import LocalEngine
from autokd.tune.limits import Limits, TimeShare, Watched
from autokd.tune.pace import Pace


class Counted(RecordingSource):
    """Three epochs a job."""

    @property
    def total(self) -> int:
        return len(self.jobs)

    def epochs_left(self) -> int:
        return 3 * self.total - sum(len(epochs) for epochs in self.epochs.values())


def watched(tmp_path: Path, limits: Limits, count: int = 3) -> tuple[Watched, Counted, Hearing]:
    source, hearing = Counted([make_job(f"job-{i}", tmp_path) for i in range(count)]), Hearing()
    return Watched(source, "search", limits, hearing), source, hearing


def test_tallies_count_up_and_time_left_counts_down(tmp_path: Path) -> None:
    watch, source, hearing = watched(tmp_path, Limits(usd_per_hour=3600.0, epochs_after=1))
    LocalEngine().run(watch, ScriptedFactory())
    last = hearing.tallies[-1]
    assert (last.done, last.total, last.failed, last.pruned) == (3, 3, 0, 0)
    assert last.best == {"direct": 0.5}
    assert last.usd == round(9 * 0.01, 10)
    left = [tally.seconds_left for tally in hearing.tallies if tally.seconds_left is not None]
    assert left == sorted(left, reverse=True)
    assert round(left[-1], 6) == 0.01  # the one epoch that comes after
    assert watch.ended_by is None
    assert len(source.finished) == 3


def test_dear_students_that_come_first_do_not_tell_how_long_the_others_take(tmp_path: Path) -> None:
    jobs = [make_job(f"job-{i}", tmp_path) for i in range(2)]
    small = jobs[1].proposal.model_copy(update={"student": "small"})
    source, hearing = Counted([jobs[0], jobs[1].model_copy(update={"proposal": small})]), Hearing()
    large = jobs[0].proposal.student
    limits = Limits(usd_per_hour=1.0, weights={large: 9.0, "small": 1.0})
    watch = Watched(source, "search", limits, hearing)
    assert watch.next() is not None
    epoch = EpochReport(epoch=1, train_loss=1.0, val_accuracy=0.5, val_nll=1.0, seconds=18.0, learning_rate=0.1)
    watch.report("job-0", epoch)
    assert hearing.tallies[-1].seconds_left == 5 * 10.0  # the mean of 18 and of 2


def test_a_student_whose_worker_dies_again_and_again_is_named(tmp_path: Path) -> None:
    class GivesUp(Counted):
        def fail(self, key: str, failure: Failure, retry: bool) -> bool:
            self.failed[key] = (failure.text, retry)
            return len(self.failed) == 1 and retry and self.patient

        patient = True

    source, hearing = GivesUp([make_job("screening-2-1", tmp_path)]), Hearing()
    watch = Watched(source, "screening", Limits(usd_per_hour=1.0), hearing)
    death = Failure(cause="worker", text="the worker process died (exit code -11)")
    job = watch.next()
    assert job is not None
    assert watch.fail(job.key, death, retry=True)
    assert not hearing.notes
    source.patient, source.waiting = False, [job]
    assert watch.next() == job
    assert not watch.fail(job.key, death, retry=True)
    student = job.proposal.student
    assert hearing.notes == [
        f"A training of {student} failed in the screening: the worker process died (exit code -11)"
    ]
    assert hearing.tallies[-1].failed == 1


def test_a_spending_limit_starts_no_new_job_but_ends_none(tmp_path: Path) -> None:
    watch, source, _ = watched(tmp_path, Limits(usd_per_hour=3600.0, max_spend=0.02))
    LocalEngine().run(watch, ScriptedFactory())
    assert list(source.finished) == ["job-0"]
    assert watch.ended_by is not None
    assert "spending limit of $0.02" in watch.ended_by


def test_what_is_kept_for_later_stages_is_not_spent(tmp_path: Path) -> None:
    watch, source, _ = watched(tmp_path, Limits(usd_per_hour=3600.0, max_spend=1.0, kept_back=0.99))
    LocalEngine().run(watch, ScriptedFactory())
    assert list(source.finished) == ["job-0"]
    assert watch.ended_by is not None
    assert "$0.9900 kept for the trials" in watch.ended_by


def test_without_time_nothing_is_started(tmp_path: Path) -> None:
    watch, source, _ = watched(tmp_path, Limits(usd_per_hour=1.0, time=share(begins=0, epochs=99)))
    LocalEngine().run(watch, ScriptedFactory())
    assert not source.started
    assert watch.ended_by == "the time limit of 1 s"


def test_a_limit_that_is_reached_before_a_stage_is_known_when_it_begins(tmp_path: Path) -> None:
    watch, _, _ = watched(tmp_path, Limits(usd_per_hour=1.0, time=share(begins=0, epochs=99)))
    watch.begin(0, {})
    assert watch.ended_by == "the time limit of 1 s"


def test_what_runs_past_the_time_limit_ends_after_its_epoch(tmp_path: Path) -> None:
    watch, source, hearing = watched(tmp_path, Limits(usd_per_hour=1.0, time=share(begins=2, epochs=4)))
    LocalEngine().run(watch, ScriptedFactory())
    assert source.epochs == {"job-0": [1, 2, 3], "job-1": [1, 2]}
    assert [*source.finished] == ["job-0"]
    assert watch.ended_by == "the time limit of 1 s"
    assert hearing.tallies[-1].running == 0


def share(begins: int, epochs: int) -> TimeShare:
    """Time for so many jobs and so many epochs."""
    asked, told = iter(range(99)), iter(range(99))
    return TimeShare(Pace({}), "the time limit of 1 s", lambda: next(asked) < begins, lambda: next(told) >= epochs)


def test_stopping_ends_the_running_job_after_its_epoch(tmp_path: Path) -> None:
    asked = iter([False, False, True, True, True, True])
    watch, source, _ = watched(tmp_path, Limits(usd_per_hour=1.0, stop=lambda: next(asked)))
    LocalEngine().run(watch, ScriptedFactory())
    assert source.epochs == {"job-0": [1, 2]}
    assert not source.finished


def test_failures_are_told(tmp_path: Path) -> None:
    source, hearing = Counted([make_job("crash-1", tmp_path)]), Hearing()
    LocalEngine().run(Watched(source, "search", Limits(usd_per_hour=1.0), hearing), ScriptedFactory())
    assert "A training of test_resnet failed in the search: ValueError: the student exploded" in hearing.notes[0]


def test_an_epoch_that_a_checkpoint_tells_again_is_not_paid_again(tmp_path: Path) -> None:
    pace = Pace({}, clock=lambda: 100.0)
    time = TimeShare(pace, "the limit", may_begin=lambda: True, overrun=lambda: False)
    watch, _, _ = watched(tmp_path, Limits(usd_per_hour=3600.0, time=time), count=1)
    job = watch.next()
    assert job is not None
    epoch = EpochReport(epoch=1, train_loss=1.0, val_accuracy=0.5, val_nll=1.0, seconds=18.0, learning_rate=0.1)
    watch.report(job.key, epoch.model_copy(update={"restored": True}))
    assert watch.seconds == 0.0
    watch.report(job.key, epoch.model_copy(update={"epoch": 2, "seconds": 7.0}))
    assert watch.seconds == 7.0
    student = job.proposal.student
    assert pace.epoch_seconds(student) == 7.0
    assert pace.busy() == [(job.proposal.recipe.epochs - 2) * 7.0]
