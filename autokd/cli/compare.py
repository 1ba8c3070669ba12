"""autokd compare"""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("compare", epilog="autokd compare reports/RUN reports/OTHER --output comparison.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN ...", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Also write a table (FILE.csv) or a page (FILE.html).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(runs: tuple[Path, ...], output: Path | None, as_json: bool) -> None:
    """Show finished runs side by side: verdicts, options, and what differs in data, settings, prices and hardware."""
    from autokd.cli.output import answer_console
    from autokd.cli.tables import print_tables
    from autokd.report.compare_runs import compare_runs

    found = compare_runs(runs)
    if output is not None:
        found.write(output)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    print_tables(found.tables())
    for note in found.notes:
        answer_console().print(note)
    if output is not None:
        answer_console().print(f"Written: {output}")
