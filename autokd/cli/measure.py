"""autokd measure"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autokd.cli.options import measuring_options, name_as_given
from autokd.config_checks import MEASURING


@click.command("measure", epilog="autokd measure resnet152 resnet50 resnet18 --classes 10 --output costs.json")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--image-size",
    type=click.IntRange(8, 2_048),
    help="Pixels a side.  [default: that of the run or folder, else what the first model was made for]",
)
@click.option(
    "--teacher-size",
    type=click.IntRange(8, 2_048),
    help="Pixels a side for the first model, where it sees other images than the others.",
)
@measuring_options
@click.option(
    "--classes",
    type=click.IntRange(2, 1_000_000),
    help="Classes of all models.  [default: those of the run or folder, else 1000]",
)
@click.option("--space", metavar="NAME|FILE", help="Also measure the students of this search space.")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="File for search --costs and decide --costs."
)
@click.option("--json", "as_json", is_flag=True, help="Print the file on stdout too.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    models: tuple[str, ...],
    classes: int | None,
    space: str | None,
    output: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure on this host what it costs to serve each MODEL. Needs no data and no weights.

    MODEL is a student as `autokd students` names it, a timm folder such as RUN/student, or a finished run: its teacher
    and its finalists, with the run's image size, classes and serving settings. All models are timed in turn with the
    first one; that should be the teacher.
    """
    from autokd.cli.output import print_measured
    from autokd.cli.screen import Screen
    from autokd.cost.costs_file import refuse_output, write_costs
    from autokd.cost.runtimes.conversions import affordable_processes
    from autokd.pipeline.measure_models import measure_models

    name_as_given(ctx)
    refuse_output(output)
    given = {name: settings[name] for name in ("image_size", "teacher_size", *MEASURING) if settings[name] is not None}
    with Screen() as screen:
        costs = measure_models(
            models, given, classes=classes, space=space, listener=screen, processes=affordable_processes()
        )
    write_costs(output, costs)
    if as_json:
        click.echo(costs.model_dump_json(indent=2))
    else:
        print_measured(costs, output)
