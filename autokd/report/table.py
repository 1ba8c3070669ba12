"""Tables of the page: columns, rows, and how many of them are shown at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ROWS_ON_PAGE = 300  # the others travel as data and appear on demand


@dataclass(frozen=True)
class Column:
    """A head; numeric columns are set flush right and sorted by value.

    Cells stay in one line unless they may wrap: a phrase at its spaces, a name anywhere, prose is given room.
    """

    label: str
    numeric: bool = False
    wraps: Literal["phrase", "name", "prose"] | None = None

    @property
    def kind(self) -> str:
        """The class of its cells."""
        return "number" if self.numeric else self.wraps or "short"


STUDENT = Column("Student", wraps="name")


@dataclass(frozen=True)
class Table:
    """Cells as text; `marked` are the indices of rows to be set off, `notes` stand below their rows at full width."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: frozenset[int] = frozenset()
    sortable: bool = True
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[tuple[str, ...], ...]:
        """The rows that are there without JavaScript."""
        return self.rows[:ROWS_ON_PAGE]

    @property
    def data(self) -> tuple[tuple[str, ...], ...]:
        """The rows as JavaScript draws them: a note is one cell more."""
        return tuple((*row, note) for row, note in zip(self.rows, self.notes, strict=True)) if self.notes else self.rows
