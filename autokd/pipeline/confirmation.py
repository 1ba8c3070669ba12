"""The confirmation: finalists trained from fresh seeds; and `autokd confirm`, which adds seeds for another look."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

from autokd.decide.statistics.repeated_looks import level_of_look
from autokd.errors import InterruptedRun, RunError
from autokd.naming import named, set_to
from autokd.pipeline.edge_probes import edge_remarks
from autokd.pipeline.search_summary import summarise, write_summary
from autokd.pipeline.stages import State, limits_of
from autokd.pipeline.time_limit import chooser, confirmation_notes
from autokd.pipeline.time_plan import Training
from autokd.records import FinalistRecord, Note, Proposal, TrialRecord
from autokd.runs.arrays import OUTCOMES
from autokd.runs.folder import Run
from autokd.runs.store import FINALISTS, PUBLISHED, REPORT, SEARCH, read_finalists
from autokd.runs.tables import write_finalists
from autokd.tune.finalists import Finalist, choose_finalists

if TYPE_CHECKING:
    from autokd.tune.engines.protocol import WorkshopFactory
    from autokd.tune.finalist_trainings import FailedTraining


def confirm(state: State, factory: WorkshopFactory, trials: Sequence[TrialRecord], soft_label_seconds: float) -> None:
    """Train the finalists from fresh seeds; leaves finalists.json, finalists.csv and their folders.

    Where seeds have been added since (`autokd confirm`), it is from as many as at the last look.
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
        floor=config.min_retention * state.prepared.teacher.val_accuracy,
        by_cost=config.prefer == "savings",
        tolerance=max(config.min_gain, _standard_error(trials, state.prepared.task.val)),
    )
    looks = state.run.manifest.looks
    failed, failed_beyond = train_finalists(state, factory, finalists, looks[-1] if looks else config.seeds)
    summary = SEARCH.read(state.run.path)
    distilled = any(trial.arm == "distill" and trial.state == "complete" for trial in trials)
    unprobed = [Note(kind="edge_not_probed", text=text) for text in edge_remarks(config, edges, distilled)]
    remarks = [*summary.remarks, *unprobed, *failed_beyond, *_look_remark(state.run)]
    write_summary(state.run, summarise(state, trials, [*summary.notes, *failed], summary.importance, remarks))


def _standard_error(trials: Sequence[TrialRecord], images: int) -> float:
    """Of the best trial's accuracy on so many validation images."""
    best = max((trial.val_accuracy or 0.0 for trial in trials if trial.state == "complete"), default=0.0)
    return sqrt(best * (1 - best) / images)


def train_finalists(
    state: State, factory: WorkshopFactory, finalists: Sequence[Finalist], seeds: int
) -> tuple[list[Note], list[Note]]:
    """Train what is missing to so many seeds; leaves finalists.json and finalists.csv, and a new look in run.json.

    Returns what failed among those that the verdict rests on, or was left out for lack of time, and what failed among
    those beyond the ratio range.
    """
    from autokd.tune.finalist_trainings import FinalistSource, collect, fresh_seeds, keep_needed_weights
    from autokd.tune.limits import Watched

    fresh = fresh_seeds(state.config.seed, seeds)
    recorded = read_finalists(state.run.path)
    limits = limits_of(state, 0)
    limits.max_spend = None  # what was searched is always confirmed
    if state.time:
        choose = chooser(state.time, finalists, fresh)
        source = FinalistSource(state.run, finalists, fresh, recorded, choose)
        limits.time = state.time.share(lambda: not source.waiting or choose(source.waiting) is not None)
    else:
        source = FinalistSource(state.run, finalists, fresh, recorded)
    state.listener.note(_finalists_note(finalists, source.total, seeds))
    engine = state.parts.engine(state.config, state.run)
    watched = Watched(source, "confirmation", limits, state.listener, source.beyond)
    watched.begin(source.over, {})
    while source.waiting and not state.stop() and not watched.ended_by:  # it may stop asking before one comes back
        engine.run(watched, factory)
    if not state.stop():
        source.check_arms()
    candidates = {candidate.student: candidate for candidate in [*state.edges, *state.candidates]}
    records = collect(state.run, finalists, fresh, candidates)
    state.keep_seconds("confirmation", sum(s.device_seconds for r in records for s in r.seeds))
    if state.stop():
        raise _stopped()
    _book_look(state.run, recorded, records)
    FINALISTS.write(state.run.path, tuple(records))
    _keep_checksums(state.run, records)
    write_finalists(state.run.path, records)
    for record in records:
        keep_needed_weights(state.run.finalist_path(record.number, 0).parent, record)
    kept = {record.number for record in records}
    failed = _told(source.failed, kept, seeds)
    if state.time:
        left_out = [Training(job.proposal.number, job.seed) for job in source.left_out]
        failed += confirmation_notes(state.time, finalists, fresh, left_out, kept)
    return failed, _told(source.failed_beyond, kept, seeds)


def _keep_checksums(run: Run, records: Sequence[FinalistRecord]) -> None:
    """Of finalists.json and of what every seed got right."""
    outcomes = [run.finalist_path(r.number, seed.seed) / OUTCOMES for r in records for seed in r.seeds]
    run.keep_checksums(FINALISTS.path(run.path), *outcomes, instead_of="finalists/")


def _stopped() -> InterruptedRun:
    return InterruptedRun(
        f"stopped during the confirmation; finished work is saved, continue with {set_to('resume', True)}"
    )


def _told(failures: Sequence[FailedTraining], kept: set[int], seeds: int) -> list[Note]:
    """Failures with what to do about them; `autokd confirm` knows only the finalists that were kept."""

    def remedy(failure: FailedTraining) -> str:
        known = failure.proposal.number in kept
        return f"autokd confirm RUN --seeds {seeds}" if known else "autokd search --resume --output RUN"

    return [
        Note(
            kind="finalist_failed",
            text=f"{failure.sentence}; `{remedy(failure)}` trains it again",
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


def _finalists_note(finalists: Sequence[Finalist], total: int, seeds: int) -> str:
    roles = [f"{f.proposal.student} ({f.proposal.arm}, {f.role})" for f in finalists]
    return f"{len(finalists)} finalists from {seeds} seeds, {total} trainings: {'; '.join(roles)}."


# ---- another look -----------------------------------------------------------------------------------------------


def check(run: Run, seeds: int) -> None:
    """Raises RunError where a run has no verdict yet, nothing to confirm, or all those seeds already.

    Raises ConfigError for more seeds than a search may have.
    """
    run.settings.changed({"seeds": seeds})
    told = {finalist.number: finalist.accuracy.seeds for finalist in REPORT.read(run.path).finalists}
    had, begun = max(told.values(), default=0), max(run.manifest.looks, default=0)
    if not had:
        raise RunError(
            f"{run.path} has no finalists, so there is nothing to confirm; search with a larger {named('max_cost')}"
        )
    if had < begun and seeds < begun:
        raise RunError(f"a look at {begun} seeds of {run.path} has begun; go on with it: {set_to('seeds', begun)}")
    kept = read_finalists(run.path)
    lacking = any(finalist.recipe.epochs and len(finalist.seeds) < had for finalist in kept)
    untold = any(len(finalist.seeds) != told.get(finalist.number) for finalist in kept)
    if seeds < had or (seeds == had and not (lacking or untold)):
        raise RunError(
            f"the finalists of {run.path} have {had} seeds already; ask for more, such as {set_to('seeds', had + 2)}"
        )


def add_seeds(state: State, factory: WorkshopFactory, seeds: int) -> None:
    """Train what is missing to so many seeds; leaves finalists.json and search.json, and the look in run.json."""
    run = state.run
    finalists = [
        Finalist(
            proposal=Proposal(number=f.number, arm=f.arm, student=f.student, recipe=f.recipe),
            role=f.role,
            trial=f.trial,
            twin_of=f.twin_of,
        )
        for f in read_finalists(run.path)
    ]
    failed, failed_beyond = train_finalists(state, factory, finalists, seeds)
    summary, manifest = SEARCH.read(run.path), run.manifest
    trained = {finalist.proposal.number for finalist in finalists}

    def holds(note: Note) -> bool:
        """Whether this look leaves a note as it is: those on failures and on looks are written anew."""
        return note.kind not in ("look", "seeds_left_out") and not (
            note.kind == "finalist_failed" and note.finalist in trained
        )

    update = {
        "stages": {**manifest.stages},
        "device_seconds": manifest.device_seconds,
        "usd": state.spent,
        "notes": (*filter(holds, summary.notes), *failed),
        "remarks": (*filter(holds, summary.remarks), *failed_beyond, *_look_remark(run)),
    }
    write_summary(run, summary.model_copy(update=update))


def _book_look(run: Run, before: Sequence[FinalistRecord], now: Sequence[FinalistRecord]) -> None:
    """Count another look where finalists that a verdict is known of have more seeds now, a filled gap included.

    To be called before finalists.json is written, because reading that is looking.
    """
    had = {_identity(record): len(record.seeds) for record in before}
    have = {_identity(record): len(record.seeds) for record in now}
    more = any(count > had.get(finalist, 0) for finalist, count in have.items())
    if not (REPORT.exists(run.path) and more and had.keys() & have.keys()):
        return
    earlier, seeds = max(had.values()), max(have.values())
    looks = run.manifest.looks or (earlier,)
    if earlier < seeds == looks[-1]:
        return  # counted by a process that was killed before it wrote them
    run.keep_looks([*looks, seeds])


def _identity(record: FinalistRecord) -> tuple[object, ...]:
    return record.number, record.arm, record.student, record.recipe


def _look_remark(run: Run) -> list[Note]:
    looks = run.manifest.looks
    if not looks:
        return []
    seeds, level = ", ".join(map(str, looks)), level_of_look(len(looks))
    text = (
        f"This is look {len(looks)} at these finalists (seeds: {seeds}). Its intervals are of {level * 100:.6g} %, so "
        "that looking again does not make a chance result more likely."
    )
    return [Note(kind="look", text=text)]
