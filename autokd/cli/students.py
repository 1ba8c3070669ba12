"""autokd students"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

COLUMNS = ("student", "family", "parameters", "ratio", "macs", "activations", "top1")


@click.command("students", epilog="autokd students --teacher resnet152 --classes 10 --image-size 32")
@click.option("--teacher", required=True, metavar="NAME", help="Timm model that is served today.")
@click.option(
    "--classes", type=click.IntRange(2, 1_000_000), default=10, show_default=True, help="Classes of the task."
)
@click.option(
    "--min-ratio",
    type=click.FloatRange(1, 1e6),
    default=5.0,
    show_default=True,
    help="Smallest compression ratio.",
)
@click.option(
    "--max-ratio",
    type=click.FloatRange(1, 1e6),
    default=20.0,
    show_default=True,
    help="Largest compression ratio.",
)
@click.option("--image-size", type=click.IntRange(8, 2_048), help="Pixels a side; by default the teacher's own.")
@click.option("--family", metavar="F", help="Only this timm family, named as in the list.")
@click.option("--space", metavar="NAME|FILE", help="Only the students of a search space; by default all of timm.")
@click.option("--unfiltered", is_flag=True, help="Include every model, each at its own image size.")
@click.option("--left-out", is_flag=True, help="Also list students that are left out, with the reason.")
@click.option("--sort", type=click.Choice(COLUMNS), default="ratio", show_default=True, help="Column to sort by.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="Where counts are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(
    teacher: str,
    classes: int,
    min_ratio: float,
    max_ratio: float,
    image_size: int | None,
    family: str | None,
    space: str | None,
    unfiltered: bool,
    left_out: bool,
    sort: str,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """List the timm models that can be students of a teacher: ratio, parameters, MACs, published weights."""
    from autokd.cli import output
    from autokd.cli.screen import Screen
    from autokd.config import default_cache_dir
    from autokd.config_checks import empty_range
    from autokd.errors import ConfigError
    from autokd.zoo.student_table import native_size, students

    if problem := empty_range(min_ratio, max_ratio):
        raise ConfigError(problem)
    names = None
    if space is not None:
        from autokd.tune.space.files import read_space

        names = read_space(space).names()
    size = image_size or native_size(teacher)
    with Screen() as screen:
        rows = students(
            teacher,
            classes,
            None if unfiltered else size,
            min_ratio,
            max_ratio,
            names=names,
            family=family,
            sort=sort,
            cache=cache_dir or default_cache_dir(),
            listener=screen,
        )
    shown = [row for row in rows if left_out or "distill" in row.arms]
    if as_json:
        click.echo(json.dumps([asdict(row) for row in shown], indent=2))
    else:
        output.print_students(shown, rows, f"{teacher} with {classes} classes", None if unfiltered else size)
