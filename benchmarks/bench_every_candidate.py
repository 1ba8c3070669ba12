"""Every candidate of a finished run trained to the end, in each of its arms, beside what the run recommended.

A run looks at its candidates for a few epochs and trains a few to the end. Here all are, by the default recipe of the
run's space, from fresh seeds, in a copy of the run in --work: a stopped one goes on where it was. The table tells
which students keep as much as the run asks for, what the cheapest of these costs, and where the recommended one stands.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from timing import about, table

from autokd.config import SearchConfig
from autokd.pipeline import stages
from autokd.pipeline.limits import limits_of
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.records import Candidate, FinalistRecord, Proposal, Recipe
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, REPORT
from autokd.tune.finalist_trainings import FinalistSource, collect
from autokd.tune.finalists import Finalist
from autokd.tune.limits import Watched
from autokd.tune.seed_plan import Plan, fresh_seeds, from_seeds
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.files import read_space

FIRST_NUMBER, SEED = 1000, 90_000  # beyond those of the run


class Printed(Silent):
    """Prints what happens, a line each."""

    def note(self, text: str) -> None:
        """See Listener."""
        print(text, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, and print the table."""
    asked = _parse(arguments)
    if not asked.work.exists():
        unfinished = asked.work.with_name(f"{asked.work.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(asked.run, unfinished)
        unfinished.rename(asked.work)
    run, parts = Run.open(asked.work), Parts()
    own = {"cache_dir": asked.cache_dir, "workers": asked.workers, "max_spend": None, "time_limit": None}
    config = run.settings.model_copy(update=own)
    with run.lock():
        prepared = stages.prepare(run, config, parts, Silent())
        config = config.sized(prepared.task.train)
        cost_model, candidates = stages.candidates_of(run, config, parts, prepared, Silent())
        state = stages.State(run, config, parts, prepared, cost_model, candidates, Printed(), lambda: False)
        _, factory = stages.soft_labels(state)
        finalists = every_finalist(candidates, config)
        plan = from_seeds(finalists, fresh_seeds(SEED, asked.seeds))
        source = FinalistSource(run, finalists, plan)
        parts.engine(config, run).run(Watched(source, "confirmation", limits_of(state, 0), Printed()), factory)
    for failed in source.failed:
        print(failed.sentence)
    _print(run, finalists, plan, candidates, config)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="where its copy is kept")
    parser.add_argument("--cache-dir", type=Path, required=True, help="that of the run, with teacher and soft labels")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(arguments)


def every_finalist(candidates: Sequence[Candidate], config: SearchConfig) -> list[Finalist]:
    """Each candidate in each of its arms, by the arm's default recipe."""
    space = read_space(config.space)
    assert config.epochs and config.batch_size
    found: list[Finalist] = []
    for candidate in candidates:
        for arm in candidate.arms:
            fields = default_recipe(space, arm, candidate.weights is not None, candidate.family)
            recipe = Recipe(epochs=config.epochs, batch_size=config.batch_size, ema=config.ema, **fields)
            number = FIRST_NUMBER + len(found)
            proposal = Proposal(number=number, arm=arm, student=candidate.student, recipe=recipe)
            found.append(Finalist(proposal=proposal, role="pick", trial=None))
    return found


def _print(
    run: Run, finalists: Sequence[Finalist], plan: Plan, candidates: Sequence[Candidate], config: SearchConfig
) -> None:
    report = REPORT.read(run.path)
    records = collect(run, finalists, plan, {candidate.student: candidate for candidate in candidates})
    needed = config.min_retention * report.teacher.test_accuracy
    recommended = report.taken
    print(about(config.device or "cpu"))
    print(
        f"{len(candidates)} candidates, {config.epochs} epochs, {len(records[0].seeds)} seeds; "
        f"needed are {needed:.2%} on test; the run says {report.verdict}, {recommended and recommended.student}\n"
    )
    by_student: dict[str, dict[str, FinalistRecord]] = {}
    for record in records:
        by_student.setdefault(record.student, {})[record.arm] = record
    cost = {candidate.student: candidate.reading.cost_usd_per_1k.mean for candidate in candidates}
    teachers = COSTS.read(run.path).readings[report.teacher.name].cost_usd_per_1k.mean
    rows = []
    for student in sorted(by_student, key=lambda name: cost[name]):
        arms = by_student[student]
        row: dict[str, object] = {"student": student, "teacher's cost / its": f"{teachers / cost[student]:.1f}"}
        for arm in ("direct", "distill"):
            row[f"{arm}, test %"] = _accuracies(arms[arm]) if arm in arms else "-"
        best = max(_mean(record) for record in arms.values())
        row["keeps enough"] = "yes" if best >= needed else "no"
        row["recommended"] = "yes" if recommended and recommended.student == student else "no"
        rows.append(row)
    print(table(rows))


def _mean(record: FinalistRecord) -> float:
    return float(np.mean([seed.test_accuracy for seed in record.seeds]))


def _accuracies(record: FinalistRecord) -> str:
    return f"{100 * _mean(record):.1f} ({', '.join(f'{100 * seed.test_accuracy:.1f}' for seed in record.seeds)})"


if __name__ == "__main__":
    main()
