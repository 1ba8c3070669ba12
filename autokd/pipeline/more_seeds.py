"""`autokd confirm`: seeds are added to the contenders of a finished run, or to all its finalists, for another look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autokd.errors import RunError
from autokd.naming import named, set_to
from autokd.pipeline.confirmation import train_finalists
from autokd.pipeline.looks import look_remark
from autokd.pipeline.rounds import Rounds, finalists_note
from autokd.pipeline.search_summary import write_summary
from autokd.pipeline.stages import State
from autokd.records import FinalistRecord, Note, Report, beyond_range
from autokd.runs.folder import Run
from autokd.runs.store import REPORT, SEARCH, read_finalists
from autokd.tune.finalists import Finalist
from autokd.tune.seed_plan import fresh_seeds, from_seeds, keeping

if TYPE_CHECKING:
    from autokd.tune.engines.protocol import WorkshopFactory


def check(run: Run, seeds: int | None, all_finalists: bool) -> int:
    """The number of seeds to train to: those that are asked for, or else those that settle the verdict.

    Raises RunError where a run has no verdict yet, nothing to confirm, all those seeds already, or where none are asked
    for and seeds alone settle nothing; ConfigError for more seeds than a search may have.
    """
    report, kept = REPORT.read(run.path), read_finalists(run.path)
    told = {finalist.number: finalist.accuracy.seeds for finalist in report.finalists}
    asked = _asked(kept, report, all_finalists)
    had, begun = max((told.get(f.number, 0) for f in asked), default=0), max(run.manifest.looks, default=0)
    if not had:
        raise RunError(
            f"{run.path} has no finalists, so there is nothing to confirm; search with a larger {named('max_cost')}"
        )
    if seeds is None:
        seeds = max(_settling(run, report, had), had, begun)
    run.settings.changed({"seeds": seeds})
    if had < begun and seeds < begun:
        raise RunError(f"a look at {begun} seeds of {run.path} has begun; go on with it: {set_to('seeds', begun)}")
    lacking = any(finalist.recipe.epochs and len(finalist.seeds) < seeds for finalist in asked)
    untold = any(len(finalist.seeds) != told.get(finalist.number) for finalist in kept)
    if (seeds < had and not all_finalists) or not (lacking or untold):
        who = "finalists" if all_finalists else "contenders"
        raise RunError(
            f"the {who} of {run.path} have {had} seeds already; ask for more, such as {set_to('seeds', had + 2)}"
        )
    return seeds


def _settling(run: Run, report: Report, had: int) -> int:
    """The seeds that are enough; raises RunError where there is no such number."""
    if report.settling_seeds is not None:
        return report.settling_seeds
    why = (
        f"the verdict of {run.path} is strong already"
        if report.strength == "strong"
        else f"seeds alone do not settle the verdict of {run.path}"
    )
    raise RunError(f"{why}; to add some nevertheless, say how many: {set_to('seeds', had + 2)}")


def add_seeds(state: State, factory: WorkshopFactory, seeds: int, all_finalists: bool) -> None:
    """Train what is missing to so many seeds; leaves finalists.json and search.json, and the look in run.json."""
    run, records, report = state.run, read_finalists(state.run.path), REPORT.read(state.run.path)
    failed, failed_beyond = train_finalists(
        state,
        factory,
        _rounds(state, records, _asked(records, report, all_finalists), seeds),
        lambda *_: f"autokd confirm RUN --seeds {seeds}{' --all' if all_finalists else ''}",
    )
    summary, manifest = SEARCH.read(run.path), run.manifest
    trained = {record.number for record in _asked(records, report, all_finalists)}

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
        "remarks": (*filter(holds, summary.remarks), *failed_beyond, *look_remark(run)),
    }
    write_summary(run, summary.model_copy(update=update))


def _rounds(state: State, records: Sequence[FinalistRecord], trained: Sequence[FinalistRecord], seeds: int) -> Rounds:
    """All in one round; who is not asked for keeps the seeds that he has."""
    finalists = [Finalist(proposal=f.proposal, role=f.role, trial=f.trial, twin_of=f.twin_of) for f in records]
    numbers = {record.number for record in trained}
    asked = [finalist for finalist in finalists if finalist.proposal.number in numbers]
    wanted = from_seeds(asked, fresh_seeds(state.config.seed, seeds))
    total = sum(map(len, wanted.values()))
    return Rounds(
        finalists,
        keeping(wanted, finalists, records),
        finalists_note(asked, f"from {seeds} seeds, {total} trainings"),
        stopped=frozenset(record.number for record in records if not record.contender),
    )


def _asked(records: Sequence[FinalistRecord], report: Report, all_finalists: bool) -> Sequence[FinalistRecord]:
    """The contenders within the range of ratios, the options that are shown and the twin of one; or everybody."""
    aside = beyond_range((record.number, record.role, record.twin_of) for record in records)
    shown = {option.finalist for option in (report.options.direct, report.options.distilled) if option}
    wanted = [
        record
        for record in records
        if (record.contender or record.number in shown or shown.intersection(record.twin_of))
        and record.number not in aside
    ]
    return records if all_finalists else wanted or records
