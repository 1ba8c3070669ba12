"""The time limit of a run: what is left of it, how it is shared between the stages, and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autokd.durations import as_given
from autokd.formatting import duration, listed
from autokd.pipeline.time_plan import (
    LEAST_SEEDS,
    Confirmation,
    TimePlan,
    Training,
    Work,
    least,
    makespan,
    plan_time,
)
from autokd.pipeline.workers import device_count, worker_count
from autokd.records import ARMS, Arm, Candidate, Note, TrialRecord
from autokd.runs.tables import stored_trials

if TYPE_CHECKING:
    from autokd.machine import Stopwatch
    from autokd.pipeline.stages import State
    from autokd.tune.engines.protocol import Job
    from autokd.tune.finalists import Finalist
    from autokd.tune.limits import TimeShare
    from autokd.tune.pace import Pace
    from autokd.tune.seed_plan import Plan

TRAININGS = 0.97  # share of the limit after which none runs any more: the verdict and the report come after them
OVERRUN = 1.1  # times the limit, when what still runs is ended


@dataclass
class TimeLimit:
    """Of this session of a run, whose clock is `watch`."""

    seconds: float
    watch: Stopwatch
    pace: Pace
    needed: float = 0.0  # seconds of the whole run at least, as far as is known

    @property
    def left(self) -> float:
        """Seconds for trainings."""
        return TRAININGS * self.seconds - self.watch.seconds

    @property
    def words(self) -> str:
        """What is named as the limit that was reached."""
        return f"the time limit of {as_given(self.seconds)}"

    def share(self, may_begin: Callable[[], bool]) -> TimeShare:
        """A stage's part of it."""
        from autokd.tune.limits import TimeShare

        return TimeShare(self.pace, self.words, may_begin, lambda: self.watch.seconds > OVERRUN * self.seconds)

    def left_out(self, parts: Sequence[str]) -> str:
        """A sentence on what there was no time for."""
        return f"The time limit of {as_given(self.seconds)} left out: {', '.join(parts)}."

    @property
    def too_short(self) -> str:
        """A sentence on how much it takes at least."""
        return (
            f"The time limit of {as_given(self.seconds)} is too short for a verdict with evidence: "
            f"at least about {duration(self.needed)} are needed."
        )


def time_limit_of(state: State, watch: Stopwatch) -> TimeLimit | None:
    """None where there is no limit; where there is one, trainings of some candidates are timed."""
    from autokd.tune.pace import Pace

    if state.config.time_limit is None:
        return None
    expected = state.parts.epoch_seconds(state.prepared, state.config, state.candidates)
    workers = worker_count(state.config)
    stretch = max(1.0, workers / device_count(state.config))
    return TimeLimit(state.config.time_limit, watch, Pace(expected, workers, stretch, state.parts.clock))


# ---- before the screening ----------------------------------------------------------------------------------------


def work_of(state: State, time: TimeLimit, short_trainings: int, short_epochs: int, short_list: int) -> Work:
    """What is still to be done from the screening on: its trainings, of so many epochs together, and what follows.

    short_list: students of an arm.
    """
    config, pace = state.config, time.pace
    assert config.trials and config.epochs and config.finalists and config.seeds  # noqa: S101
    names = [candidate.student for candidate in state.candidates]
    per_arm = {arm: min(short_list, sum(1 for c in state.candidates if arm in c.arms)) for arm in ARMS}
    had = sum(1 for trial in stored_trials(state.run.path) if trial.state != "running")
    arms = sum(1 for count in per_arm.values() if count)
    each = pace.mean_training(names, short_epochs / max(1, short_trainings))
    return Work(
        screening=short_trainings * each / pace.workers,
        trials=max(0, config.trials // len(ARMS) * arms - had),
        least_trials=max(0, sum(per_arm.values()) - had),
        arms=arms,
        finalists=config.finalists,
        seeds=config.seeds,
        edges=len(state.edges),
        training=pace.typical_training(names, config.epochs),
        workers=pace.workers,
    )


def planned(time: TimeLimit, work: Work) -> list[str]:
    """What the time is planned for, in sentences."""
    used = time.watch.seconds
    told = [f"Task, teacher, costs and soft labels took {duration(used)} of {time.words}."]
    plan = plan_time(time.left, work)
    time.needed = (used + least(work).seconds) / TRAININGS
    if used > time.seconds:
        told = [f"Task, teacher, costs and soft labels alone took {duration(used)}, more than {time.words}."]
        told.append(time.too_short)
    elif plan.seconds > time.left:
        told.append(f"{time.too_short[:-1]}; what fits is done.")
    else:
        told.append(_words(plan, work))
    return told


def _words(plan: TimePlan, work: Work) -> str:
    parts = [
        f"{plan.trials} of {work.trials} trials",
        f"{plan.finalists} of {work.finalists} picks of each arm from {plan.seeds} of {work.seeds} seeds",
        "default and longer trainings too" if plan.extras else "no default and no longer trainings",
    ]
    if work.screening:
        parts.insert(0, f"{plan.screening:.0%} of the screening")
    return f"A training takes about {duration(work.training)}; planned: {'; '.join(parts)}."


def may_screen(
    time: TimeLimit, work: Callable[[], Work], coming: Callable[[], tuple[str, int] | None]
) -> Callable[[], bool]:
    """Whether there is time for another student: after one trial of each arm and short-listed student, and the least
    confirmation.
    """

    def may_begin() -> bool:
        job, now = coming(), work()
        trials = makespan([now.training] * now.least_trials, now.workers)
        trainings = makespan([now.training] * _least_trainings(now.arms), now.workers)
        after = trials + trainings + 2 * time.pace.start_up
        return job is None or time.pace.training(*job) + after <= time.left

    return may_begin


# ---- in the search -----------------------------------------------------------------------------------------------


def may_try(
    time: TimeLimit, candidates: Sequence[Candidate], epochs: int, records: Callable[[], Sequence[TrialRecord]]
) -> Callable[[], bool]:
    """Whether there is time for another trial, or for one of each arm where both have had as many.

    It leaves time for the least confirmation, but not before every arm has had a trial. candidates: on the short list.
    """
    from autokd.tune.finalists import front

    students = {arm: [c.student for c in candidates if arm in c.arms] for arm in ARMS}
    pace, arms = time.pace, [arm for arm in ARMS if students[arm]]
    longest = {arm: pace.mean_training(students[arm], epochs) for arm in arms}

    def confirmed(arm: Arm, trials: Sequence[TrialRecord]) -> float:
        """A training of the arm's best so far."""
        best = front([trial for trial in trials if trial.arm == arm], 1)
        return pace.training(best[0].student, epochs) if best else longest[arm]

    def may_begin() -> bool:
        trials = records()
        longest.update({arm: pace.mean_training(students[arm], epochs) for arm in arms})
        begun = [sum(1 for trial in trials if trial.arm == arm) for arm in arms]
        together = len(arms) if len(set(begun)) == 1 else 1
        now = makespan([max(longest.values())] * together, pace.workers)
        if 0 in begun:
            return now <= time.left
        picks = [confirmed(arm, trials) for arm in arms for _ in range(2 if arm == "distill" else 1)]
        return now + makespan(picks * LEAST_SEEDS, pace.workers) + pace.start_up <= time.left

    return may_begin


# ---- in the confirmation -----------------------------------------------------------------------------------------


def chooser(time: TimeLimit, finalists: Sequence[Finalist], plan: Plan) -> Callable[[Sequence[Job]], Job | None]:
    """Which job is next: by its worth, among those that end in time."""
    confirmation, proposals = Confirmation(finalists, plan), {f.proposal.number: f.proposal for f in finalists}

    def seconds_of(number: int) -> float:
        return time.pace.training(proposals[number].student, proposals[number].recipe.epochs)

    def choose(waiting: Sequence[Job]) -> Job | None:
        jobs = {Training(job.proposal.number, job.seed): job for job in waiting}
        found = confirmation.next_of(list(jobs), seconds_of, time.left, time.pace.workers, time.pace.busy())
        return jobs[found] if found else None

    return choose


def confirmation_notes(
    time: TimeLimit,
    finalists: Sequence[Finalist],
    plan: Plan,
    left_out: Sequence[Training],
    kept: Collection[int],
) -> list[Note]:
    """What there was no time for; kept: numbers of the finalists that have seeds enough to be told of."""
    notes = []
    fewer = Counter(plan[each.finalist].index(each.seed) for each in left_out if each.finalist in kept)
    if fewer:
        parts = [f"the {_ordinal(seed)} seed of {_finalists(count)}" for seed, count in sorted(fewer.items())]
        notes.append(Note(kind="seeds_left_out", text=time.left_out(parts)))
    gone = {training.finalist for training in left_out} - set(kept)
    if gone:
        roles = Counter(finalist.role for finalist in finalists if finalist.proposal.number in gone)
        told = listed([f"{count} {role}" for role, count in roles.items()])
        notes.append(Note(kind="finalists_left_out", text=time.left_out([f"{_finalists(len(gone))} ({told})"])))
    least_of_all = next(iter(Confirmation(finalists, plan).groups()), [])
    missing = [training for training in least_of_all if training in left_out]
    if missing or not least_of_all:
        proposals = {finalist.proposal.number: finalist.proposal for finalist in finalists}
        missed = [proposals[training.finalist] for training in missing]
        seconds = makespan([time.pace.training(p.student, p.recipe.epochs) for p in missed], time.pace.workers)
        time.needed = max(time.needed, (time.watch.seconds + seconds) / TRAININGS)
        notes.append(Note(kind="time_limit", text=time.too_short))
    return notes


def _finalists(count: int) -> str:
    return f"{count} finalist{'s' if count > 1 else ''}"


def _ordinal(index: int) -> str:
    return ("first", "second", "third", "fourth", "fifth")[index] if index < 5 else f"{index + 1}th"


def _least_trainings(arms: int) -> int:
    return (2 * arms - 1) * LEAST_SEEDS
