"""The confirmation: finalists trained from fresh seeds; and `autokd confirm`, which adds seeds for another look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autokd.beyond import edge_remarks
from autokd.decide.levels import level_of_look
from autokd.errors import InterruptedRun, RunError
from autokd.records import Proposal, SearchSummary, TrialRecord
from autokd.report import read_finalists, read_report, write_finalists
from autokd.run import Run, read_json
from autokd.stages import State, limits_of, summarise
from autokd.tune.finalists import Finalist, choose_finalists

if TYPE_CHECKING:
    from autokd.tune.engines.base import WorkshopFactory


def confirm(state: State, factory: WorkshopFactory, trials: Sequence[TrialRecord], soft_label_seconds: float) -> None:
    """Train the finalists from fresh seeds; leaves finalists.json, finalists.csv and their folders."""
    from autokd.tune.space import read_space

    config = state.config
    assert config.finalists and config.seeds  # noqa: S101
    published = _published(state, factory)
    edges = state.edges
    finalists = choose_finalists(
        trials, read_space(config.space), config.finalists, soft_label_seconds, published, edges
    )
    failed, failed_beyond = train_finalists(state, factory, finalists, config.seeds)
    summary = SearchSummary.model_validate(read_json(state.run.path / "search.json"))
    distilled = any(trial.arm == "distill" and trial.state == "complete" for trial in trials)
    remarks = [*summary.remarks, *edge_remarks(config, edges, distilled), *failed_beyond]
    summary = summarise(state, trials, [*summary.notes, *failed], summary.importance, remarks)
    state.run.write_json(state.run.path / "search.json", summary.model_dump(mode="json"))


def train_finalists(
    state: State, factory: WorkshopFactory, finalists: Sequence[Finalist], seeds: int
) -> tuple[list[str], list[str]]:
    """Train what is missing to so many seeds; leaves finalists.json and finalists.csv.

    Returns what failed among those that the verdict rests on, and among those beyond the ratio range.
    """
    from autokd.tune.confirm import FinalistSource, collect, fresh_seeds
    from autokd.tune.watch import Watched

    fresh = fresh_seeds(state.config.seed, seeds)
    source = FinalistSource(state.run, finalists, fresh)
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
    state.run.write_json(state.run.path / "finalists.json", [record.model_dump(mode="json") for record in records])
    write_finalists(state.run.path / "finalists.csv", records)
    return source.failed, source.failed_beyond


def _published(state: State, factory: WorkshopFactory) -> list[TrialRecord]:
    """Published models of the task's own classes, evaluated on validation; leaves published.json."""
    from autokd.tune.published import PublishedSource

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


def check(run: Run, seeds: int) -> None:
    """Raises RunError where a run has no verdict yet, nothing to confirm, or as many seeds already."""
    had = _seeds_of_verdict(run)
    if not had:
        raise RunError(f"{run.path} has no finalists, so there is nothing to confirm; search with a larger --max-cost")
    if seeds <= had:
        raise RunError(f"the finalists of {run.path} have {had} seeds already; ask for more, such as --seeds {had + 2}")


def _seeds_of_verdict(run: Run) -> int:
    """Seeds of the finalists that the stored verdict is about; after a kill finalists.json may have more already."""
    return max((finalist.accuracy.seeds for finalist in read_report(run).finalists), default=0)


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
        for f in read_finalists(run)
    ]
    failed, failed_beyond = train_finalists(state, factory, finalists, seeds)
    looks = run.manifest.get("looks") or [_seeds_of_verdict(run)]
    if looks[-1] != seeds:
        looks = [*looks, seeds]
        run.update(looks=looks)
    summary = SearchSummary.model_validate(read_json(run.path / "search.json"))
    remark = (
        f"This is look {len(looks)} at these finalists (seeds: {', '.join(map(str, looks))}); so that looking again "
        f"makes no chance result likelier, its intervals are of {level_of_look(len(looks)) * 100:.6g} %."
    )
    spent: dict[str, float] = run.manifest.get("stages", {})
    earlier = [known for known in summary.remarks if not known.startswith("This is look ")]
    update = {
        "stages": spent,
        "device_seconds": sum(spent.values()),
        "usd": state.spent,
        "notes": tuple(dict.fromkeys([*summary.notes, *failed])),
        "remarks": tuple(dict.fromkeys([*earlier, *failed_beyond, remark])),
    }
    run.write_json(run.path / "search.json", summary.model_copy(update=update).model_dump(mode="json"))
