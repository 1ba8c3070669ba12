"""autokd confirm"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autokd.cli.options import placement_options


@click.command("confirm", epilog="autokd confirm reports/RUN --seeds 5")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--seeds",
    type=click.IntRange(2),
    help="Total number of seeds of each contender. [default: as many as settle the verdict]",
)
@click.option("--all", "all_finalists", is_flag=True, help="Train all finalists, not only the contenders.")
@placement_options
@click.option("--json", "as_json", is_flag=True, help="Print report.json on stdout.")
@click.pass_context
def command(
    ctx: click.Context, /, run: Path, seeds: int | None, all_finalists: bool, as_json: bool, **placement: Any
) -> None:
    """Train the contenders of the finished RUN from more seeds and decide again.

    Contenders are the finalists that could still be picked after their first two seeds. Each further look at the
    evidence uses wider intervals (97.5 %, 98.75 %, ...), so that repeated looks do not favour a chance result. To
    continue an interrupted call, repeat it.
    Exit code 0: a verdict; 3: nothing meets the limits; 130: interrupted.
    """
    from autokd.cli.screen import Screen, polite_interrupt
    from autokd.cli.verdict import print_result
    from autokd.pipeline.search import confirm_run
    from autokd.pipeline.services import Parts

    given = {name: value for name, value in placement.items() if value is not None}
    with Screen() as screen, polite_interrupt(screen) as stop:
        parts = Parts(is_program=True)
        result = confirm_run(
            run, seeds, all_finalists=all_finalists, placement=given, listener=screen, stop=stop, parts=parts
        )
    if as_json:
        click.echo(result.report.model_dump_json(indent=2))
    else:
        print_result(result)
    ctx.exit(3 if result.verdict == "none" else 0)
