"""The confirmation: all finalists trained from two fresh seeds, then from more those that can still be picked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from autokd.errors import InterruptedRun
from autokd.naming import set_to
from autokd.pipeline.edge_probes import edge_remarks
from autokd.pipeline.limits import limits_of
from autokd.pipeline.looks import book_look, look_remark
from autokd.pipeline.rounds import Rounds, rounds_of
from autokd.pipeline.search_summary import summarise, write_summary
from autokd.pipeline.stages import State
from autokd.pipeline.student_forms import forget_forms_of_others
from autokd.pipeline.time_limit import chooser, confirmation_notes
from autokd.pipeline.time_plan import Training
from autokd.records import Candidate, FinalistRecord, Note, Proposal, TrialRecord
from autokd.runs.arrays import OUTCOMES
from autokd.runs.folder import Run
from autokd.runs.store import FINALISTS, PUBLISHED, SEARCH, read_finalists
from autokd.runs.tables import write_finalists
from autokd.tracking.results import track_finalists
from autokd.tune.finalists import choose_finalists, standard_error
from autokd.tune.seed_plan import Plan

if TYPE_CHECKING:
    from autokd.tune.engines.protocol import WorkshopFactory
    from autokd.tune.finalist_trainings import Choose, FailedTraining, FinalistSource
    from autokd.tune.limits import Watched

RESUME = "autokd search --resume --output RUN"
Remedy = Callable[[int, Plan, Collection[int]], str]  # a finalist's number, the plan, and who is in no contest any more


def confirm(state: State, factory: WorkshopFactory, trials: Sequence[TrialRecord], soft_label_seconds: float) -> None:
    """Train the finalists from fresh seeds; leaves finalists.json, finalists.csv and their folders.

    Where seeds have been added since (`autokd confirm`), contenders are trained from as many as at the last look.
    """
    from autokd.tune.space.files import read_space

    config = state.config
    assert config.finalists and config.seeds  # noqa: S101
    published = _published(state, factory)
    edges = state.edges
    space, _ = read_space(config.space).suited(len(state.prepared.task.classes))
    finalists = choose_finalists(
        trials,
        space,
        config.finalists,
        soft_label_seconds,
        published,
        edges,
        {candidate.student: candidate.family for candidate in state.candidates},
        floor=config.min_retention * state.prepared.teacher.to_keep,
        by_cost=config.prefer == "savings",
        tolerance=max(config.min_gain, standard_error(_best(trials), state.prepared.task.val)),
    )
    rounds = rounds_of(state, finalists, read_finalists(state.run.path))
    failed, failed_beyond = train_finalists(state, factory, rounds, _remedy)
    summary = SEARCH.read(state.run.path)
    distilled = any(trial.arm == "distill" and trial.state == "complete" for trial in trials)
    unprobed = [Note(kind="edge_not_probed", text=text) for text in edge_remarks(config, edges, distilled)]
    remarks = [*summary.remarks, *unprobed, *failed_beyond, *look_remark(state.run)]
    write_summary(state.run, summarise(state, trials, [*summary.notes, *failed], summary.importance, remarks))


def _best(trials: Sequence[TrialRecord]) -> float:
    """The highest accuracy of a trial."""
    return max((trial.val_accuracy or 0.0 for trial in trials if trial.state == "complete"), default=0.0)


def train_finalists(
    state: State, factory: WorkshopFactory, rounds: Rounds, remedy: Remedy
) -> tuple[list[Note], list[Note]]:
    """Train what is missing, round by round; leaves finalists.json and finalists.csv, and a new look in run.json.

    Returns what failed among those that the verdict rests on, or was left out for lack of time, and what failed among
    those beyond the ratio range. remedy: the command that trains a failed one again.
    """
    from autokd.tune.finalist_trainings import collect, keep_needed_weights, seconds_of

    finalists, recorded = rounds.finalists, read_finalists(state.run.path)
    candidates = {candidate.student: candidate for candidate in [*state.edges, *state.candidates]}
    state.listener.note(rounds.note)
    source, plan, stopped = _trained(state, factory, rounds, candidates, recorded)
    records = collect(state.run, finalists, plan, candidates, stopped)
    state.keep_seconds("confirmation", sum(seconds_of(state.run, number, seeds) for number, seeds in plan.items()))
    if state.stop():
        raise _stopped()
    forget_forms_of_others(state.run, recorded, records)
    book_look(state.run, recorded, records)
    FINALISTS.write(state.run.path, tuple(records))
    _keep_checksums(state.run, records)
    write_finalists(state.run.path, records)
    track_finalists(state.tracker, records)
    for record in records:
        keep_needed_weights(state.run.finalist_path(record.number, 0).parent, record)
    kept = {record.number for record in records}

    def command(number: int) -> str:
        return remedy(number, plan, stopped | source.beyond) if number in kept else RESUME

    failed = _told(source.failed, command)
    if state.time:
        left_out = [Training(job.proposal.number, job.seed) for job in source.left_out]
        failed += confirmation_notes(state.time, finalists, plan, left_out, kept)
    return failed, _told(source.failed_beyond, command)


def _trained(
    state: State,
    factory: WorkshopFactory,
    rounds: Rounds,
    candidates: Mapping[str, Candidate],
    recorded: Sequence[FinalistRecord],
) -> tuple[FinalistSource, Plan, frozenset[int]]:
    """Both rounds, or one where that is all: what was done, what was planned in the end, and who is no contender."""
    from autokd.tune.finalist_trainings import FinalistSource
    from autokd.tune.limits import Watched

    def choose(plan: Plan) -> Choose:
        return chooser(state.time, rounds.finalists, plan) if state.time else lambda jobs: jobs[0]

    def length(proposal: Proposal) -> float:
        return candidates[proposal.student].macs * proposal.recipe.epochs

    source = FinalistSource(state.run, rounds.finalists, rounds.plan, recorded, length, choose(rounds.plan))
    students = {finalist.proposal.student for finalist in rounds.finalists}
    limits = limits_of(state, rounds.later_epochs, students)
    limits.max_spend = None  # what was searched is always confirmed
    limits.time = state.time.share(source.ready) if state.time else None
    watched = Watched(source, "confirmation", limits, state.listener, source.beyond)
    watched.begin(source.over, {})
    _run_round(state, factory, source, watched)
    if rounds.settle is None or state.stop():
        return source, rounds.plan, rounds.stopped
    settled = rounds.settle()
    if settled.note:
        state.listener.note(settled.note)
    limits.epochs_after = 0
    watched.go_on(source.plan(settled.plan, choose(settled.plan)))
    _run_round(state, factory, source, watched)
    return source, settled.plan, settled.stopped


def _run_round(state: State, factory: WorkshopFactory, source: FinalistSource, watched: Watched) -> None:
    from autokd.tune.tracked import Tracked

    engine = state.parts.engine(state.config, state.run)
    tracked = Tracked(watched, state.tracker, state.run.path, [*state.edges, *state.candidates])
    while source.waiting and not state.stop() and not watched.ended_by:  # it may stop asking before one comes back
        engine.run(tracked, factory)
    if not state.stop():
        source.check_arms()


def _keep_checksums(run: Run, records: Sequence[FinalistRecord]) -> None:
    """Of finalists.json and of what every seed got right."""
    outcomes = [run.finalist_path(r.number, seed.seed) / OUTCOMES for r in records for seed in r.seeds]
    run.keep_checksums(FINALISTS.path(run.path), *outcomes, instead_of="finalists/")


def _stopped() -> InterruptedRun:
    return InterruptedRun(
        f"stopped during the confirmation; finished work is saved, continue with {set_to('resume', True)}"
    )


def _remedy(number: int, plan: Plan, stopped: Collection[int]) -> str:
    """`autokd confirm` trains contenders; the search itself trains what is missing of all finalists."""
    if number in stopped:
        return RESUME
    return f"autokd confirm RUN --seeds {len(plan[number])}"


def _told(failures: Sequence[FailedTraining], command: Callable[[int], str]) -> list[Note]:
    """Failures with what to do about them."""
    return [
        Note(
            kind="finalist_failed",
            text=f"{failure.sentence}; `{command(failure.proposal.number)}` trains it again",
            finalist=failure.proposal.number,
        )
        for failure in failures
    ]


def _published(state: State, factory: WorkshopFactory) -> Sequence[TrialRecord]:
    """Published models of the task's own classes, evaluated on validation; leaves published.json."""
    from autokd.tune.published_models import PublishedSource

    if (known := PUBLISHED.read_if_there(state.run.path)) is not None:
        return known
    source = PublishedSource(state.run, state.candidates, state.stop)
    if not source.total:
        return []
    state.listener.note(f"{source.total} published models of these very classes are evaluated as they are.")
    state.parts.engine(state.config, state.run).run(source, factory)
    if state.stop():
        raise _stopped()
    source.check()
    PUBLISHED.write(state.run.path, tuple(source.records()))
    return source.records()
