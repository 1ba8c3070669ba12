"""The screening: every candidate is trained for a few epochs by one recipe, the promising ones again for more.

Each is a training of its own, whose learning rate falls to its end: on its way, a longer one ranks students worse. It
is done once for both arms, because which student is good hardly depends on the arm. What it leaves is the short list,
on which both arms search recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autokd.errors import MachineError
from autokd.naming import set_to
from autokd.records import (
    ARMS,
    Arm,
    Candidate,
    EpochReport,
    Proposal,
    Recipe,
    Rung,
    ScreenedStudent,
    Screening,
    ShortTraining,
)
from autokd.runs.folder import Run
from autokd.runs.store import CHECKPOINT, SCREENING
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.protocol import Job, Order, Outcome
from autokd.tune.failures_of_jobs import FailuresOfJobs
from autokd.tune.memory_splits import BatchParts
from autokd.tune.prior_knowledge import Promising, agreement, most_promising_first
from autokd.tune.short_list import Standing, margin_at, rungs, staying


@dataclass(frozen=True)
class ScreeningPlan:
    """What a screening is asked for."""

    wanted: int  # students of each arm on the short list
    epochs: int  # of a trial
    min_retention: float
    by_cost: bool  # the cheapest are wanted first
    seed: int
    limited: bool = False  # by time or money, which may end it anywhere


class ScreeningSource:
    """See JobSource; a job for each student and rung. What is known is in screening.json after every job."""

    def __init__(
        self, run: Run, candidates: Sequence[Candidate], recipe_of: Callable[[Candidate], Recipe], plan: ScreeningPlan
    ) -> None:
        self._run, self._plan = run, plan
        known = SCREENING.read_if_there(run.path) or _begun(candidates, recipe_of, plan)
        self._rungs = known.rungs
        self._students = {student.number: _reopened(student, known.rungs) for student in known.students}
        self._parts = BatchParts(run)
        self._failures = FailuresOfJobs()
        self._running: set[int] = set()
        self._rung = 0
        self._waiting: list[int] = []
        self._go_on()

    # ---- see JobSource ---------------------------------------------------------------------------------------

    def next(self) -> Job | None:
        """See JobSource."""
        if not self._waiting:
            return None
        student, epochs = self._students[self._waiting.pop(0)], self._until
        self._running.add(student.number)
        recipe = student.recipe.model_copy(update={"epochs": epochs})
        return Job(
            key=f"screening-{student.number}-{epochs}",
            proposal=Proposal(number=student.number, arm=_arm(recipe), student=student.student, recipe=recipe),
            seed=self._plan.seed,
            folder=str(self._run.screening_path(student.number, epochs).resolve()),
            final=False,
            accumulate=self._parts.of(student.student),
        )

    def report(self, key: str, report: EpochReport) -> Order:
        """See JobSource; a training may begin again, its epochs reported again."""
        number = _number(key)
        student = self._students[number]
        self._failures.went_well()
        self._parts.learn(student.student, report.accumulate)
        before, trainings = report.epoch - 1, student.trainings
        known = trainings[self._rung] if len(trainings) > self._rung else ShortTraining(planned=self._until)
        now = known.model_copy(
            update={
                "val_accuracies": (*known.val_accuracies[:before], report.val_accuracy),
                "epoch_seconds": (*known.epoch_seconds[:before], report.seconds),
            }
        )
        self._students[number] = student.model_copy(update={"trainings": (*trainings[: self._rung], now)})
        return "go"

    def finish(self, key: str, outcome: Outcome) -> None:  # noqa: ARG002 - its last epoch was reported
        """See JobSource."""
        number, checkpoint = _number(key), self._checkpoint(_number(key), self._until)
        self._end(number)
        checkpoint.unlink(missing_ok=True)

    def fail(self, key: str, failure: Failure, retry: bool) -> bool:
        """See JobSource; raises MachineError where student after student fails without any fault of its own."""
        number = _number(key)
        self._running.discard(number)
        if self._failures.again(key, retry):
            self._waiting.insert(0, number)
            return True
        self._students[number] = self._students[number].model_copy(update={"state": "failed", "error": failure.text})
        if self._failures.too_many(number, failure):
            in_a_row = self._failures.in_a_row
            self._refuse(in_a_row, f"{len(in_a_row)} trainings in a row failed")
        checkpoint = self._checkpoint(number, self._until)
        self._end(number)
        checkpoint.unlink(missing_ok=True)
        return False

    # ---- what is known ---------------------------------------------------------------------------------------

    @property
    def screening(self) -> Screening:
        """As far as it got."""
        ordered = tuple(self._students[number] for number in sorted(self._students))
        listed = self._best_first("short_list") if self._rung == len(self._rungs) else []
        return Screening(
            rungs=self._rungs, students=ordered, short_list=tuple(listed), agreement=self._agreement(ordered)
        )

    @property
    def waiting(self) -> bool:
        """Whether there are jobs that nobody has taken."""
        return bool(self._waiting)

    @property
    def coming(self) -> tuple[str, int] | None:
        """Student and epochs of the next job, if there is one."""
        if not self._waiting:
            return None
        student = self._students[self._waiting[0]]
        return student.student, self._left(student)

    @property
    def total(self) -> int:
        """Jobs in all; of rungs to come, as many as stay at least."""
        to_come = sum(rung.staying for rung in self._rungs[self._rung : -1])
        return self.over + len(self._waiting) + len(self._running) + to_come

    @property
    def over(self) -> int:
        """Jobs that are done or have failed; of a student that is in training, those before."""
        before = dict.fromkeys(self._running, self._rung)
        done = sum(len(student.looks[: before.get(number)]) for number, student in self._students.items())
        return done + sum(student.state == "failed" for student in self._students.values())

    def epochs_left(self) -> int:
        """See CountedSource."""
        own = sum(self._left(self._students[number]) for number in {*self._waiting, *self._running})
        steps = zip(self._rungs[self._rung :], self._rungs[self._rung + 1 :], strict=False)
        return own + sum(rung.staying * later.epochs for rung, later in steps)

    def close(self) -> Screening:
        """Make the short list of what is known, where a limit ended it early too; raises MachineError for nothing."""
        while self._rung < len(self._rungs):
            self._cut()
        for number, student in self._students.items():
            for training in student.trainings:
                if training.done:  # and a kill left its checkpoint; one that a limit ended may go on some day
                    self._checkpoint(number, training.planned).unlink(missing_ok=True)
        failed = {
            number: student.error or "" for number, student in self._students.items() if student.state == "failed"
        }
        if failed and len(failed) == len(self._students):
            self._refuse(failed, f"all {len(failed)} students failed in the screening")
        SCREENING.write(self._run.path, self.screening)
        return self.screening

    def _refuse(self, failed: Mapping[int, str], what: str) -> None:
        """A resumed search tries these students again."""
        for number in failed:
            student = self._students[number]
            again = {"state": "waiting", "error": None, "trainings": tuple(t for t in student.trainings if t.done)}
            self._students[number] = student.model_copy(update=again)
        SCREENING.write(self._run.path, self.screening)
        raise MachineError(
            f"{what} (first: {next(iter(failed.values()))}), which is no evidence on them; mend the cause and go on "
            f"with {set_to('resume', True)}"
        )

    # ---- inside ----------------------------------------------------------------------------------------------

    @property
    def _until(self) -> int:
        """Epochs of a training of this rung."""
        return self._rungs[min(self._rung, len(self._rungs) - 1)].epochs if self._rungs else 0

    def _checkpoint(self, number: int, epochs: int) -> Path:
        return self._run.screening_path(number, epochs) / CHECKPOINT

    def _left(self, student: ScreenedStudent) -> int:
        """Epochs that its training of this rung still takes."""
        begun = student.trainings[self._rung :]
        return self._until - (len(begun[0].val_accuracies) if begun else 0)

    def _end(self, number: int) -> None:
        """A job is over: put what is known on record, and go on to the next rung after the last job of this one."""
        self._running.discard(number)
        SCREENING.write(self._run.path, self.screening)
        if not self._waiting and not self._running:
            self._go_on()

    def _go_on(self) -> None:
        """To the first rung that has jobs; the cuts before it are made again from what is on record."""
        while self._rung < len(self._rungs):
            left = [student for student in self._students.values() if student.state == "waiting"]
            behind = [student for student in left if self._left(student)]
            self._waiting = self._in_turn(behind)
            if self._waiting:
                return
            self._cut()
        SCREENING.write(self._run.path, self.screening)

    def _in_turn(self, students: Sequence[ScreenedStudent]) -> list[int]:
        """The dearest first, so that no long training is left at the end; by promise where a limit may cut it."""
        if not self._plan.limited:
            return [student.number for student in sorted(students, key=lambda s: (-s.cost_usd_per_1k, s.number))]
        turns = _promising_first(students)
        return [student.number for student in sorted(students, key=lambda s: turns.index(s.student))]

    def _cut(self) -> None:
        """Those that do not stay are stopped; after the last rung, those that stay are the short list."""
        rung, last = self._rungs[self._rung], self._rung == len(self._rungs) - 1
        left = [student for student in self._students.values() if student.state == "waiting"]
        kept = set(self._stay(left, rung.staying))
        for student in left:
            state = "stopped" if student.student not in kept else "short_list" if last else "waiting"
            self._students[student.number] = student.model_copy(update={"state": state})
        self._rung += 1

    def _stay(self, students: Sequence[ScreenedStudent], wanted: int) -> list[str]:
        steps = max(1, len(self._rungs))
        margin = margin_at(min(self._rung, steps - 1), steps, self._plan.min_retention)
        standings = [_standing(student, self._rung) for student in students]
        if not any(student.epochs for student in students):
            return _unseen(students, wanted)
        return staying(standings, wanted, margin, self._plan.by_cost)

    def _agreement(self, students: Sequence[ScreenedStudent]) -> float | None:
        """Of what was promised with the accuracies at the first rung."""
        seen = [(s.promise, s.looks[0]) for s in students if s.looks]
        return agreement([promise for promise, _ in seen], [accuracy for _, accuracy in seen])

    def _best_first(self, state: str) -> list[str]:
        chosen = [student for student in self._students.values() if student.state == state]
        return self._stay(chosen, len(chosen))


def screening_rungs(candidates: Sequence[Candidate], plan: ScreeningPlan) -> tuple[Rung, ...]:
    """Of a screening of these students; none where all of them go on anyway."""
    largest = max((sum(1 for c in candidates if arm in c.arms) for arm in ("distill", "direct")), default=0)
    return tuple(Rung(epochs=epochs, staying=stay) for epochs, stay in rungs(largest, plan.wanted, plan.epochs))


def _begun(candidates: Sequence[Candidate], recipe_of: Callable[[Candidate], Recipe], plan: ScreeningPlan) -> Screening:
    steps = screening_rungs(candidates, plan)
    students = [
        ScreenedStudent(
            number=number,
            student=candidate.student,
            arms=candidate.arms,
            parameters=candidate.parameters,
            ratio=candidate.ratio,
            macs=candidate.macs,
            cost_usd_per_1k=candidate.reading.cost_usd_per_1k.mean,
            promise=candidate.promise,
            recipe=recipe_of(candidate),
            state="waiting" if steps else "short_list",
        )
        for number, candidate in enumerate(candidates)
    ]
    return Screening(rungs=steps, students=tuple(students))


def _reopened(student: ScreenedStudent, steps: Sequence[Rung]) -> ScreenedStudent:
    """Before any cut: who stays follows from the accuracies, of which there may be more now than at the last cut."""
    return student.model_copy(update={"state": "waiting"}) if steps and student.state != "failed" else student


def _standing(student: ScreenedStudent, rung: int) -> Standing:
    """At a rung; one that a limit kept from it stands by what it reached, and an untrained one comes last."""
    seen = student.looks[: rung + 1] or (student.val_accuracy or 0.0,)
    return Standing(student.student, seen[-1], student.cost_usd_per_1k, student.arms)


def _promising_first(students: Sequence[ScreenedStudent]) -> list[str]:
    return most_promising_first([Promising(s.student, s.promise, s.cost_usd_per_1k) for s in students])


def _unseen(students: Sequence[ScreenedStudent], wanted: int) -> list[str]:
    """The students of each arm that go on where none was looked at."""
    order, arms = _promising_first(students), {student.student: student.arms for student in students}
    chosen = {name for arm in ARMS for name in [name for name in order if arm in arms[name]][:wanted]}
    return [name for name in order if name in chosen]


def _arm(recipe: Recipe) -> Arm:
    return "distill" if recipe.alpha > 0 else "direct"


def _number(key: str) -> int:
    return int(key.split("-")[1])
