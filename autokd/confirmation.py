"""`autokd confirm`: the finalists of a finished run from more seeds, and another look at the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autokd import stages
from autokd.decide.levels import level_of_look
from autokd.errors import RunError
from autokd.records import Proposal, SearchSummary
from autokd.report import read_finalists, read_report
from autokd.run import Run, read_json
from autokd.stages import State
from autokd.tune.finalists import Finalist

if TYPE_CHECKING:
    from autokd.tune.engines.base import WorkshopFactory


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
    failed, failed_beyond = stages.train_finalists(state, factory, finalists, seeds)
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
