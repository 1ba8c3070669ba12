"""`autokd measure`: what models cost to serve on this host. It needs no data and no weights.

Models come by name, from a timm folder, or from a run, whose teacher and finalists they then are. The first is the
reference that all others are timed in turn with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.config import SearchConfig
from autokd.config_checks import SERVED
from autokd.errors import ConfigError, RunError
from autokd.files import is_file, read_json
from autokd.machine import hardware, now, versions
from autokd.naming import named
from autokd.progress import Listener, Silent
from autokd.records import MeasuredCosts, architecture
from autokd.runs.folder import MANIFEST, Run
from autokd.runs.store import TASK, TEACHER, read_finalists

if TYPE_CHECKING:
    from torch import nn

CLASSES = 1000  # where nothing says how many
NO_BUDGET = 1.0  # settings need one; nothing is compared with it here
CONFIG = "config.json"  # of a timm folder
# Arguments that timm keeps there and that a model built by its name alone has too, or that cost nothing in serving.
USUAL = {"num_classes", "img_size", "in_chans", "global_pool", "drop_rate", "drop_path_rate"}


@dataclass(frozen=True)
class Source:
    """Models by name, and what their folder says of them; nothing where a name was given."""

    names: tuple[str, ...]
    image_size: int | None = None
    first_size: int | None = None  # of the first model, where it is another one
    classes: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # how models are served


def measure_models(
    models: Sequence[str],
    given: Mapping[str, Any] | None = None,
    *,
    classes: int | None = None,
    space: str | None = None,
    listener: Listener | None = None,
    processes: int = 1,
) -> MeasuredCosts:
    """Readings of models, timed in turn with the first.

    given: settings by their names in SearchConfig: image_size, teacher_size (of the first model), how models are served
    and what the host costs. What is not given is that of the first run or folder among the models. space: a search
    space whose students are added. processes: that may convert models side by side; each runs the main module
    of this one. Raises UsageError for what the user can mend; a student that cannot be served is
    named to the listener and left out.
    """
    from autokd.cost.measure import Measurement
    from autokd.cost.pricing import cost_model_for
    from autokd.tune.space.files import read_space
    from autokd.zoo.build import build, check_name
    from autokd.zoo.student_table import native_size

    listener = listener or Silent()
    sources = [source_of(model) for model in models]
    names = _unlike(
        [name for source in sources for name in source.names] + (read_space(space).names() if space else [])
    )
    for name in names:
        check_name(name)
    reference, *students = names
    known = next((source for source in sources if source.image_size), Source(()))
    config = SearchConfig.of(teacher=reference, max_cost=NO_BUDGET, **{**known.settings, **(given or {})})
    size = config.image_size or known.image_size or native_size(reference)
    first_size = config.teacher_size or sources[0].first_size or size
    count = classes or known.classes or CLASSES
    listener.stage("Measuring")
    listener.note(f"{len(names)} models at {size} px with {count} classes, timed in turn with {reference}.")

    def builder(name: str) -> nn.Module:
        return build(name, count, first_size if name == reference else size)

    model = cost_model_for(config, size, trains=False)
    measurement = Measurement(
        reference,
        partial(builder, reference),
        model,
        listener,
        config.max_latency_ms,
        teacher_size=first_size,
        processes=processes,
    )
    with closing(measurement):
        readings = measurement.read({name: partial(builder, name) for name in students}, listener)
    return MeasuredCosts(
        created=now(),
        versions=versions(),
        hardware=hardware(),
        classes=count,
        reference=reference,
        reference_size=first_size,
        max_latency_ms=config.max_latency_ms,
        cost_model=measurement.cost_model,
        readings=readings,
    )


def source_of(model: str) -> Source:
    """What a word on the command line stands for; raises RunError or ConfigError for a folder that is neither."""
    path = Path(model)
    if MANIFEST.exists(path):
        return _of_run(Run.open(path))
    if is_file(path / CONFIG):
        return _of_folder(path)
    if path.is_dir() and len(path.parts) > 1:
        raise ConfigError(f"{model} holds neither a run (run.json) nor a timm model ({CONFIG}); name one that does")
    return Source((model,))


def _of_run(run: Run) -> Source:
    """Its teacher and finalists, so that the run can be decided with the costs of this host."""
    task, teacher, settings = TASK.read(run.path), TEACHER.read(run.path), run.settings
    size = task.transform.image_size
    served = {name: getattr(settings, name) for name in (*SERVED, "max_latency_ms")}
    return Source(
        names=(teacher.name, *(finalist.student for finalist in read_finalists(run.path))),
        image_size=size,
        first_size=teacher.preprocessing.image_size if teacher.preprocessing else None,
        classes=len(task.classes),
        settings=served,
    )


def _of_folder(folder: Path) -> Source:
    """The model of a folder that `timm.create_model("local-dir:FOLDER")` loads."""
    from autokd.export.timm_folder import STUDENT

    content = read_json(folder / CONFIG)
    try:
        plain, arguments = str(content["architecture"]), dict(content.get("model_args", {}))
        name = content.get(STUDENT, plain)
        size, classes = int(content["pretrained_cfg"]["input_size"][-1]), int(content["num_classes"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise RunError(
            f"{folder / CONFIG} is not that of a timm model; name its folder, or the model by its name"
        ) from None
    if STUDENT not in content and (own := sorted(arguments.keys() - USUAL)):
        raise ConfigError(
            f"{folder} holds a {plain} with settings of its own ({', '.join(own)}); "
            f"name the model as `autokd students` does, with {named('image_size')} and {named('classes')}"
        )
    return Source((str(name),), image_size=size, classes=classes)


def _unlike(names: Sequence[str]) -> list[str]:
    """Names in their order, each architecture once: speed does not depend on weights."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(architecture(name), name)
    return list(found.values())
