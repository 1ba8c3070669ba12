"""One student on a whole data set, direct and distilled from several seeds, beside its teacher: all by the presets.

Nothing is searched. Everything is kept in --work, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from timing import about, table

from autokd.config import SearchConfig
from autokd.decide.statistics import intervals
from autokd.pipeline import stages
from autokd.pipeline.limits import limits_of
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.records import Arm, Candidate, Interval, Proposal, Recipe
from autokd.runs.arrays import read_correct
from autokd.runs.folder import Run
from autokd.training.presets import FROM_SCRATCH
from autokd.tune.finalist_trainings import FinalistSource, collect
from autokd.tune.finalists import Finalist
from autokd.tune.limits import Watched
from autokd.tune.seed_plan import Plan, fresh_seeds, from_seeds


class Printed(Silent):
    """Prints what happens, a line each."""

    def note(self, text: str) -> None:
        """See Listener."""
        print(text, flush=True)

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:  # noqa: ARG002
        """See Listener."""
        print(f"{done} of {total}: {what}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is missing, and print the table."""
    asked = _parse(arguments)
    print(about("cpu"))
    config, parts, folder = _config(asked), Parts(), asked.work / "run"
    parts.check(config)
    run = Run.open(folder) if folder.exists() else Run.create(folder, config)
    with run.lock():
        prepared = stages.prepare(run, config, parts, Printed())
        config = config.sized(prepared.task.train)
        cost_model, candidates = stages.candidates_of(run, config, parts, prepared, Printed())
        state = stages.State(run, config, parts, prepared, cost_model, candidates, Printed(), lambda: False)
        _, factory = stages.soft_labels(state)
        finalists = _finalists(asked, config)
        plan = from_seeds(finalists, fresh_seeds(0, asked.seeds))
        source = FinalistSource(run, finalists, plan)
        watched = Watched(source, "confirmation", limits_of(state, 0), Printed())
        parts.engine(config, run).run(watched, factory)
    _print(run, finalists, plan, candidates[0], prepared.teacher.test_accuracy)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder of run and cache")
    parser.add_argument("--data", default="torch/fashion_mnist")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--teacher", default="dla34")
    parser.add_argument("--student", default="dla46x_c")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--teacher-epochs", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--views", nargs="*", default=[], metavar="NAME=VALUE", help="such as erase=0.25")
    return parser.parse_args(arguments)


def _config(asked: argparse.Namespace) -> SearchConfig:
    asked.work.mkdir(parents=True, exist_ok=True)
    space = asked.work / "space.toml"
    space.write_text(f"[students]\ninclude = {json.dumps([asked.student])}\n", encoding="utf-8")
    return SearchConfig.of(
        teacher=asked.teacher,
        teacher_weights="scratch",
        teacher_epochs=asked.teacher_epochs,
        student_weights="scratch",
        max_cost=1.0,
        cost_model="params",
        price_per_hour=1.0,
        data=asked.data,
        data_dir=asked.data_dir,
        image_size=asked.image_size,
        space=str(space),
        epochs=asked.epochs,
        workers=asked.workers,
        device="cpu",
        cache_dir=asked.work / "cache",
        **dict(view.split("=") for view in asked.views),
    )


def _finalists(asked: argparse.Namespace, config: SearchConfig) -> list[Finalist]:
    """The student without the teacher, and with it by plain distillation at temperature 4 and alpha 0.9."""
    assert config.batch_size
    direct = Recipe(learning_rate=FROM_SCRATCH.rate, epochs=asked.epochs, batch_size=config.batch_size)
    distilled = direct.model_copy(update={"temperature": 4.0, "alpha": 0.9})
    recipes: list[tuple[Arm, Recipe]] = [("direct", direct), ("distill", distilled)]
    return [
        Finalist(proposal=Proposal(number=i, arm=arm, student=asked.student, recipe=recipe), role="pick", trial=None)
        for i, (arm, recipe) in enumerate(recipes)
    ]


def _print(run: Run, finalists: Sequence[Finalist], plan: Plan, candidate: Candidate, teacher_accuracy: float) -> None:
    records = collect(run, finalists, plan, {candidate.student: candidate})
    images = stages.TASK.read(run.path).test
    rows: list[dict[str, object]] = [{"model": stages.TEACHER.read(run.path).name, "test": f"{teacher_accuracy:.2%}"}]
    correct = []
    for record in records:
        correct.append(np.stack([read_correct(run.finalist_path(record.number, s.seed), images) for s in record.seeds]))
        by_seed = ", ".join(f"{seed.test_accuracy:.2%}" for seed in record.seeds)
        rows.append({"model": f"{record.student}, {record.arm}", "test": _percent(intervals.accuracy(correct[-1]))})
        rows[-1]["seeds"] = by_seed
    print("\n" + table([{"model": "", "test": "", "seeds": ""} | row for row in rows]))
    gain = intervals.difference(correct[1], correct[0]).interval
    print(f"\ngain of distilling: {100 * gain.mean:+.2f} points ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})")


def _percent(found: Interval) -> str:
    return f"{found.mean:.2%} ({found.low:.2%} to {found.high:.2%})"


if __name__ == "__main__":
    main()
