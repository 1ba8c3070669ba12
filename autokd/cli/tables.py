"""Tables of a page on a terminal: names give way where it is narrow, numbers never do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table as RichTable
from rich.text import Text

from autokd.cli.output import answer_console
from autokd.formatting import escaped
from autokd.report.table import Table


def print_tables(tables: Sequence[Table]) -> None:
    """Each under its name, on stdout; one without rows is left out, and marked rows are bold."""
    console = answer_console()
    for table in tables:
        if not table.rows:
            continue
        drawn = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for column in table.columns:
            fixed = column.wraps is None
            drawn.add_column(
                column.label, justify="right" if column.numeric else "left", no_wrap=fixed, overflow="fold"
            )
        for place, row in enumerate(table.rows):
            drawn.add_row(*(Text(escaped(cell)) for cell in row), style="bold" if place in table.marked else None)
        console.print(Text(table.name, style="bold"))
        console.print(drawn)
        console.print()
