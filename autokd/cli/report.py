"""autokd report"""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", epilog="autokd report reports/RUN --format json")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True)
def command(run: Path, kind: str) -> None:
    """Render the report of the stored RUN again. html writes report.html; csv and json go to stdout."""
    from autokd.report import render
    from autokd.runs.folder import Run

    click.echo(render(Run.open(run), kind))  # type: ignore[arg-type]
