"""autokd report"""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from autokd.runs.folder import Run

SHOWN = 10  # trials of a run that is not finished


@click.command("report", epilog="autokd report reports/RUN --open")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "kind", type=click.Choice(["html", "csv", "json"]), default="html", show_default=True)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
def command(run: Path, kind: str, opens: bool) -> None:
    """Render the report of the stored RUN again. html writes report.html; csv and json go to stdout.

    Of a run that is still going, or was interrupted, html says how far it is and what stands so far.
    """
    from autokd.errors import ConfigError
    from autokd.report import render
    from autokd.report.progress import is_unfinished
    from autokd.runs.folder import Run

    if opens and kind != "html":
        raise ConfigError(f"--open shows the page and --format {kind} makes none; leave one of them out")
    stored = Run.open(run)
    if kind == "html" and is_unfinished(stored):
        _show_progress(stored)
    else:
        text = render(stored, kind)  # type: ignore[arg-type]
        click.echo(text, nl=kind != "csv")  # a table ends its own rows
    if opens:
        _open(stored.path / "report.html")


def _show_progress(run: Run) -> None:
    from autokd.cli.output import answer_console
    from autokd.cli.tables import print_tables
    from autokd.report.progress import progress_of, write_progress

    progress = progress_of(run)
    write_progress(run, progress)
    console = answer_console()
    for line in (progress.title, *progress.sentences):
        console.print(line)
    console.print()
    print_tables([progress.table(SHOWN)])
    console.print(f"Written: {run.path / 'report.html'}")


def _open(page: Path) -> None:
    try:
        opened = webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        opened = False
    if not opened:
        click.echo(f"autokd: there is no browser here; open {page.resolve()} in one", err=True)
