"""autokd's side of bench_search: a search to the end of its search stage, distilled trials only; prints JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

from autokd.config import SearchConfig
from autokd.pipeline import stages
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.records import Candidate, Screening, TrialRecord
from autokd.runs.folder import Run
from autokd.training.batches import steps_per_epoch
from autokd.tune.space.files import read_space

# what peer_script.py draws from
SPACE = """
[students]
include = {students}
[recipe.distill]
losses = ["kl"]
temperature = {{ low = 1.0, high = 20.0, log = true }}
alpha = {{ low = 0.3, high = 1.0 }}
learning_rate = {{ low = 3e-4, high = 3e-3, log = true }}
"""


def main() -> None:
    """Search, and say what came of it."""
    started, asked = time.perf_counter(), _parse()
    config, parts = _config(asked), Parts()
    parts.check(config)
    run = Run.create(asked.work / "run", config)
    prepared = stages.prepare(run, config, parts, Silent())
    config = config.sized(prepared.task.train)
    cost_model, candidates = stages.candidates_of(run, config, parts, prepared, Silent())
    distilled = _distilled(candidates)
    state = stages.State(run, config, parts, prepared, cost_model, distilled, Silent(), lambda: False)
    moment = time.perf_counter()
    _, factory = stages.soft_labels(state)
    labelled = time.perf_counter()
    with _pruning(not asked.no_pruning):
        trials = stages.search_trials(state, factory, _all_listed(distilled))
    ended = time.perf_counter()
    images = _images_an_epoch(prepared.task.train, config)
    result = {
        "seconds": ended - started,
        "soft_labels": labelled - moment,
        "search": ended - labelled,
        "trials": len(trials),
        "pruned": sum(trial.state == "pruned" for trial in trials),
        "images": sum(trial.epochs for trial in trials) * images,
        "train_images": prepared.task.train,
        "best": max(trial.val_accuracy or 0.0 for trial in trials if trial.state == "complete"),
        "students": [candidate.student for candidate in distilled],
        "proposals": [_drawn(trial) for trial in trials],
    }
    if failed := [trial for trial in trials if trial.state == "failed"]:
        raise SystemExit(f"{len(failed)} trials failed, the first with {failed[0].error}")
    print(json.dumps(result))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--teacher-weights", required=True)
    parser.add_argument("--students", nargs="*", default=[], help="default: those of the space `default`")
    parser.add_argument("--trials", type=int, default=8, help="distilled ones; there are no others")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-pruning", action="store_true")
    parser.add_argument("--work", type=Path, required=True, help="an empty folder for run and cache")
    return parser.parse_args()


def _config(asked: argparse.Namespace) -> SearchConfig:
    """Costs are priced by parameters: the peer measures none."""
    asked.work.mkdir(parents=True, exist_ok=True)
    space = asked.work / "space.toml"
    space.write_text(SPACE.format(students=json.dumps(asked.students or read_space("default").names())))
    return SearchConfig.of(
        teacher=asked.teacher,
        max_cost=1.0,
        data=asked.data,
        teacher_weights=asked.teacher_weights,
        image_size=asked.image_size,
        space=str(space),
        trials=2 * asked.trials,  # half of them for the direct arm, which stays empty
        epochs=asked.epochs,
        batch_size=asked.batch_size,
        cost_model="params",
        price_per_hour=1.0,
        device=asked.device,
        seed=asked.seed,
        cache_dir=asked.work / "cache",
    )


def _distilled(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same candidates for the distill arm alone."""
    found = [c.model_copy(update={"arms": ("distill",)}) for c in candidates if "distill" in c.arms]
    if not found:
        raise SystemExit("none of the students may be distilled from this teacher; name ones 5 to 20 times smaller")
    return found


def _pruning(wanted: bool) -> AbstractContextManager[Any]:
    if wanted:
        return nullcontext()
    return mock.patch("autokd.tune.study.rungs", lambda _: [])


def _all_listed(candidates: Sequence[Candidate]) -> Screening:
    """A short list of all students: the peer screens none."""
    return Screening(rungs=(), students=(), short_list=tuple(candidate.student for candidate in candidates))


def _images_an_epoch(train: int, config: SearchConfig) -> int:
    assert config.batch_size
    return min(train, steps_per_epoch(train, config.batch_size) * config.batch_size)


def _drawn(trial: TrialRecord) -> dict[str, object]:
    """What the peer calls the parameters of a trial."""
    recipe = trial.recipe
    return {
        "student": trial.student,
        "temperature": recipe.temperature,
        "alpha": recipe.alpha,
        "learning_rate": recipe.learning_rate,
    }


if __name__ == "__main__":
    main()
