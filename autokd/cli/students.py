"""autokd students"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

COLUMNS = ("student", "family", "parameters", "ratio", "macs")


@click.command("students", epilog="autokd students --teacher resnet152 --classes 10 --image-size 32")
@click.option("--teacher", required=True, metavar="NAME", help="Timm model that is served today.")
@click.option("--classes", type=click.IntRange(2), default=10, show_default=True, help="Classes of the task.")
@click.option("--min-ratio", type=click.FloatRange(1), default=5.0, show_default=True, help="Smallest ratio to distil.")
@click.option("--max-ratio", type=click.FloatRange(1), default=20.0, show_default=True, help="Largest ratio.")
@click.option("--image-size", type=click.IntRange(8), help="Pixels a side; by default the teacher's own.")
@click.option("--family", metavar="F", help="Only this timm family, as the listing names it.")
@click.option("--space", default="default", show_default=True, metavar="NAME|FILE", help="Search space to list.")
@click.option("--unfiltered", is_flag=True, help="All of timm instead of a space; takes minutes the first time.")
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
    space: str,
    unfiltered: bool,
    sort: str,
    cache_dir: Path | None,
    as_json: bool,
) -> None:
    """List the students of a teacher: ratio, parameters, MACs, and what each may be used for."""
    from autokd.cli import terminal
    from autokd.config import default_cache_dir
    from autokd.errors import ConfigError
    from autokd.teacher.prepare import input_size
    from autokd.tune.space import read_space
    from autokd.zoo.listing import students

    if min_ratio >= max_ratio:
        raise ConfigError(
            f"--min-ratio {min_ratio:g} is not below --max-ratio {max_ratio:g}; give a range such as 5 to 20"
        )
    size = image_size or input_size(teacher)
    names = None if unfiltered else read_space(space).names()
    with terminal.Screen() as screen:
        rows = students(
            teacher,
            classes,
            size,
            min_ratio,
            max_ratio,
            names=names,
            family=family,
            sort=sort,
            cache=cache_dir or default_cache_dir(),
            listener=screen,
        )
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        terminal.print_students(rows, teacher, classes, size)
