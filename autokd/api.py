"""search(), confirm(), estimate() and measure() as Python calls: every option of the command line is a keyword."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.config import ENGINE, SearchConfig
from autokd.config_checks import MEASURING
from autokd.config_messages import refuse_unknown
from autokd.cost.costs_file import refuse_output, write_costs
from autokd.errors import ConfigError
from autokd.pipeline.estimate import Estimate, plan_search
from autokd.pipeline.measure_models import measure_models
from autokd.pipeline.search import confirm_run, run_search
from autokd.pipeline.services import Parts
from autokd.progress import Listener

if TYPE_CHECKING:
    from torch import nn

    from autokd.data.sources.python_pair import Pair
    from autokd.records import MeasuredCosts
    from autokd.result import SearchResult


def search(
    teacher: str | nn.Module,
    max_cost: float,
    *,
    data: str | Pair = "digits",
    output: str | Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    **options: Any,
) -> SearchResult:
    """Search for a student of `teacher` that may be served at `max_cost` US dollars per 1,000 requests.

    teacher: a timm name, or a module that takes [n, 3, size, size] and gives logits [n, classes]. data: `digits`, an
    image folder, `torch/NAME`, `hfds/NAME`, or a (train, test) pair of map-style data sets of (image, label). output:
    the run folder; resume: continue an interrupted run. Every other option of `autokd search` is a keyword.
    Raises UsageError (autokd.errors) for what the caller can fix.
    """
    refuse_unknown(options, (*SearchConfig.model_fields, "output", "resume", "listener"))
    config, parts = _settings(teacher, max_cost, data, options)
    command = f"autokd.search(teacher={config.teacher!r}, max_cost={max_cost!r}, ...)"
    return run_search(
        config,
        output=Path(output) if output is not None else None,
        resume=resume,
        listener=listener,
        parts=parts,
        command=command,
    )


def confirm(
    path: str | Path,
    seeds: int | None = None,
    *,
    all_finalists: bool = False,
    teacher: nn.Module | None = None,
    data: Pair | None = None,
    listener: Listener | None = None,
    **placement: Any,
) -> SearchResult:
    """Train the contenders of a finished run from more seeds, so that each has `seeds`, and decide again.

    Contenders are the finalists that could still be picked after their first two seeds; all_finalists: the others too.
    seeds: None for as many as are enough to settle the verdict, where seeds alone can. teacher and data: what `search`
    was given as a module and as a pair, where it was. placement: options of `autokd confirm` that say where trainings
    are placed (engine, workers, ...). Every look at the evidence after the first has wider intervals. Raises UsageError
    (autokd.errors) for what the caller can fix.
    """
    refuse_unknown(placement, ENGINE)
    return confirm_run(
        Path(path),
        seeds,
        all_finalists=all_finalists,
        placement=placement,
        listener=listener,
        parts=Parts(teacher=teacher, pair=data),
    )


def estimate(
    teacher: str | nn.Module,
    max_cost: float,
    *,
    data: str | Pair = "digits",
    listener: Listener | None = None,
    **options: Any,
) -> Estimate:
    """Candidates, ratios, cost, planned work and money of a search; trains nothing. Arguments as for `search`."""
    config, parts = _settings(teacher, max_cost, data, options)
    return plan_search(config, parts, listener)


def measure(
    models: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    image_size: int | None = None,
    teacher_size: int | None = None,
    classes: int | None = None,
    space: str | None = None,
    listener: Listener | None = None,
    **options: Any,
) -> MeasuredCosts:
    """What it costs to serve these models on this host, timed in turn with the first, which should be the teacher.

    models: names as in `autokd students`, timm folders, or finished runs. output: a file for `costs=` of search and
    decide. image_size, teacher_size (of the first model): pixels a side; space: a search space whose students are
    added; options: the serving options of `autokd measure`. What is not given is that of the first run or folder.
    Raises UsageError (autokd.errors) for what the caller can fix.
    """
    refuse_unknown(options, MEASURING)
    named = [models] if isinstance(models, (str, Path)) else models
    if not named:
        raise ConfigError("no model is named; give one at least, such as ['resnet18']")
    if output is not None:
        refuse_output(Path(output))
    sizes = {"image_size": image_size, "teacher_size": teacher_size}
    given = {name: value for name, value in {**sizes, **options}.items() if value is not None}
    costs = measure_models([str(model) for model in named], given, classes=classes, space=space, listener=listener)
    if output is not None:
        write_costs(Path(output), costs)
    return costs


def _settings(
    teacher: str | nn.Module, max_cost: float, data: str | Pair, options: dict[str, Any]
) -> tuple[SearchConfig, Parts]:
    name = teacher if isinstance(teacher, str) else type(teacher).__name__
    named = data if isinstance(data, str) else "given from Python"
    config = SearchConfig.of(teacher=name, max_cost=max_cost, data=named, **options)
    return config, Parts(
        teacher=None if isinstance(teacher, str) else teacher, pair=None if isinstance(data, str) else data
    )
