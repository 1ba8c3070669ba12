"""The confirmation: finalists trained from fresh seeds; and `autokd confirm`, which adds seeds for another look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autokd.decide.statistics.repeated_looks import level_of_look
from autokd.errors import InterruptedRun, RunError
from autokd.files import read_json
from autokd.pipeline.edge_probes import edge_remarks
from autokd.pipeline.stages import State, limits_of, summarise
from autokd.records import FinalistRecord, Proposal, SearchSummary, TrialRecord
from autokd.report import read_finalists, read_report, write_finalists
from autokd.runs.folder import Run
from autokd.tune.finalists import Finalist, choose_finalists

if TYPE_CHECKING:
    from autokd.tune.engines.protocol import WorkshopFactory
    from autokd.tune.finalist_trainings import Failure


def confirm(state: State, factory: WorkshopFactory, trials: Sequence[TrialRecord], soft_label_seconds: float) -> None:
    """Train the finalists from fresh seeds; leaves finalists.json, finalists.csv and their folders.

    Where seeds have been added since (`autokd confirm`), it is from as many as at the last look.
    """
    from autokd.tune.space.files import read_space

    config = state.config
    assert config.finalists and config.seeds  # noqa: S101
    published = _published(state, factory)
    edges = state.edges
    finalists = choose_finalists(
        trials, read_space(config.space), config.finalists, soft_label_seconds, published, edges
    )
    looks = _looks(state.run)
    failed, failed_beyond = train_finalists(state, factory, finalists, looks[-1] if looks else config.seeds)
    summary = SearchSummary.model_validate(read_json(state.run.path / "search.json"))
    distilled = any(trial.arm == "distill" and trial.state == "complete" for trial in trials)
    remarks = [*summary.remarks, *edge_remarks(config, edges, distilled), *failed_beyond, *_look_remark(state.run)]
    summary = summarise(state, trials, [*summary.notes, *failed], summary.importance, remarks)
    state.run.write_json(state.run.path / "search.json", summary.model_dump(mode="json"))


def train_finalists(
    state: State, factory: WorkshopFactory, finalists: Sequence[Finalist], seeds: int
) -> tuple[list[str], list[str]]:
    """Train what is missing to so many seeds; leaves finalists.json and finalists.csv, and a new look in run.json.

    Returns what failed among those that the verdict rests on, and among those beyond the ratio range.
    """
    from autokd.tune.finalist_trainings import FinalistSource, collect, fresh_seeds, keep_needed_weights
    from autokd.tune.limits import Watched

    fresh = fresh_seeds(state.config.seed, seeds)
    recorded = read_finalists(state.run)
    source = FinalistSource(state.run, finalists, fresh, recorded)
    state.listener.note(_finalists_note(finalists, source.total, seeds))
    engine = state.parts.engine(state.config, state.run)
    limits = limits_of(state, 0)
    limits.timeout = limits.max_spend = None  # what was searched is always confirmed
    watched = Watched(source, "confirmation", limits, state.listener, source.beyond)
    watched.begin(source.over, {})
    engine.run(watched, factory)
    while source.waiting and not state.stop():  # handed back when the engine had stopped asking
        engine.run(watched, factory)
    candidates = {candidate.student: candidate for candidate in [*state.edges, *state.candidates]}
    records = collect(state.run, finalists, fresh, candidates)
    state.keep_seconds("confirmation", sum(s.device_seconds for r in records for s in r.seeds))
    if state.stop():
        raise InterruptedRun("stopped during the confirmation; everything finished is saved, --resume goes on")
    _book_look(state.run, recorded, records)
    state.run.write_json(state.run.path / "finalists.json", [record.model_dump(mode="json") for record in records])
    write_finalists(state.run.path / "finalists.csv", records)
    for record in records:
        keep_needed_weights(state.run.finalist_path(record.number, 0).parent, record)
    kept = {record.number for record in records}
    return _told(source.failed, kept, seeds), _told(source.failed_beyond, kept, seeds)


def _told(failures: Sequence[Failure], kept: set[int], seeds: int) -> list[str]:
    """Failures with what to do about them; `autokd confirm` knows only the finalists that were kept."""

    def remedy(failure: Failure) -> str:
        known = failure.proposal.number in kept
        return f"autokd confirm RUN --seeds {seeds}" if known else "autokd search --resume --output RUN"

    return [f"{failure.sentence}; `{remedy(failure)}` trains it again" for failure in failures]


def _published(state: State, factory: WorkshopFactory) -> list[TrialRecord]:
    """Published models of the task's own classes, evaluated on validation; leaves published.json."""
    from autokd.tune.published_models import PublishedSource

    path = state.run.path / "published.json"
    if path.exists():
        return [TrialRecord.model_validate(entry) for entry in read_json(path)]
    source = PublishedSource(state.run, state.candidates, state.stop)
    if not source.total:
        return []
    state.listener.note(f"{source.total} published models of these very classes are evaluated as they are.")
    state.parts.engine(state.config, state.run).run(source, factory)
    if state.stop():
        raise InterruptedRun("stopped during the confirmation; everything finished is saved, --resume goes on")
    state.run.write_json(path, [record.model_dump(mode="json") for record in source.records()])
    return source.records()


def _finalists_note(finalists: Sequence[Finalist], total: int, seeds: int) -> str:
    roles = [f"{f.proposal.student} ({f.proposal.arm}, {f.role})" for f in finalists]
    return f"{len(finalists)} finalists from {seeds} seeds, {total} trainings: {'; '.join(roles)}."


# ---- another look -----------------------------------------------------------------------------------------------

LOOK = "This is look "  # how the remark about it begins


def check(run: Run, seeds: int) -> None:
    """Raises RunError where a run has no verdict yet, nothing to confirm, or all those seeds already."""
    told = {finalist.number: finalist.accuracy.seeds for finalist in read_report(run).finalists}
    had, begun = max(told.values(), default=0), max(_looks(run), default=0)
    if not had:
        raise RunError(f"{run.path} has no finalists, so there is nothing to confirm; search with a larger --max-cost")
    if had < begun and seeds < begun:
        raise RunError(f"a look at {begun} seeds of {run.path} has begun; go on with it: --seeds {begun}")
    kept = read_finalists(run)
    lacking = any(finalist.recipe.epochs and len(finalist.seeds) < had for finalist in kept)
    untold = any(len(finalist.seeds) != told.get(finalist.number) for finalist in kept)
    if seeds < had or (seeds == had and not (lacking or untold)):
        raise RunError(f"the finalists of {run.path} have {had} seeds already; ask for more, such as --seeds {had + 2}")


def add_seeds(state: State, factory: WorkshopFactory, seeds: int) -> None:
    """Train what is missing to so many seeds; leaves finalists.json and search.json, and the look in run.json."""
    from autokd.tune.finalist_trainings import failure_of

    run = state.run
    finalists = [
        Finalist(
            proposal=Proposal(number=f.number, arm=f.arm, student=f.student, recipe=f.recipe),
            role=f.role,
            trial=f.trial,
            twin_of=f.twin_of,
        )
        for f in read_finalists(run)
    ]
    failed, failed_beyond = train_finalists(state, factory, finalists, seeds)
    summary = SearchSummary.model_validate(read_json(run.path / "search.json"))
    outdated = (LOOK, *(failure_of(finalist.proposal) for finalist in finalists))
    notes = [note for note in summary.notes if not note.startswith(outdated)]
    remarks = [remark for remark in summary.remarks if not remark.startswith(outdated)]
    spent: dict[str, float] = run.manifest.get("stages", {})
    update = {
        "stages": spent,
        "device_seconds": sum(spent.values()),
        "usd": state.spent,
        "notes": (*notes, *failed),
        "remarks": (*remarks, *failed_beyond, *_look_remark(run)),
    }
    run.write_json(run.path / "search.json", summary.model_copy(update=update).model_dump(mode="json"))


def _looks(run: Run) -> list[int]:
    """Seeds at each look; empty until there is a second one."""
    looks: list[int] = run.manifest.get("looks", [])
    return looks


def _book_look(run: Run, before: Sequence[FinalistRecord], now: Sequence[FinalistRecord]) -> None:
    """Count another look where finalists that a verdict is known of have more seeds now, a filled gap included.

    To be called before finalists.json is written: whoever reads that has looked.
    """
    had = {_identity(record): len(record.seeds) for record in before}
    have = {_identity(record): len(record.seeds) for record in now}
    more = any(count > had.get(finalist, 0) for finalist, count in have.items())
    if not (run.report_path.exists() and more and had.keys() & have.keys()):
        return
    earlier, seeds = max(had.values()), max(have.values())
    looks = _looks(run) or [earlier]
    if earlier < seeds == looks[-1]:
        return  # counted by a process that was killed before it wrote them
    run.update(looks=[*looks, seeds])


def _identity(record: FinalistRecord) -> tuple[object, ...]:
    return record.number, record.arm, record.student, record.recipe


def _look_remark(run: Run) -> list[str]:
    looks = _looks(run)
    if not looks:
        return []
    seeds, level = ", ".join(map(str, looks)), level_of_look(len(looks))
    remark = (
        f"{LOOK}{len(looks)} at these finalists (seeds: {seeds}); so that looking again makes no chance result "
        f"likelier, its intervals are of {level * 100:.6g} %."
    )
    return [remark]
