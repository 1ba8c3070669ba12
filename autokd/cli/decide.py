"""autokd decide"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autokd.cli.options import condition_options


@click.command("decide", epilog="autokd decide reports/RUN --max-cost 0.002 --requests-per-month 3e6")
@click.argument("run", type=click.Path(path_type=Path))
@condition_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Write report.json, report.html and options.csv into this new folder.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on stdout.")
@click.pass_context
def command(ctx: click.Context, /, run: Path, output: Path | None, as_json: bool, **conditions: Any) -> None:
    """Give the verdict that the evidence of RUN supports under other conditions.

    Conditions that are not given stay as they were in the search. --costs takes speeds and price from a file that
    `autokd measure RUN` wrote on another host. Nothing is trained or measured. Nothing is written
    without --output. Exit code 0: a verdict; 3: nothing meets the limits.
    """
    from autokd.result import load_run

    result = load_run(run)
    report = result.decide(**conditions)
    if output is not None:
        result.write(report, output)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        from autokd.cli.verdict import print_files, print_verdict

        print_verdict(report, run)
        if output is not None:
            print_files(output)
    ctx.exit(3 if report.verdict == "none" else 0)
