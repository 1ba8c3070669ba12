"""What the charts have in common: a picture with its legend, its words for who cannot see it, and its numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal
from urllib.parse import quote

from autokd.formatting import printable
from autokd.records import Arm
from autokd.report import format as fmt
from autokd.report.charts.svg import Shape

Cell = str | float | None
SHAPE_OF: dict[Arm, Shape] = {"distill": "circle", "direct": "diamond"}  # arms differ by shape and by colour
DONE: dict[Arm, str] = {"distill": "distilled", "direct": "direct"}


@dataclass(frozen=True)
class Mark:
    """One entry of a legend; `tone` is a class of chart.css."""

    glyph: Literal["●", "○", "◉", "◆", "◇", "■", "▲", "★", "━", "─", "┄", "▾"]
    tone: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A picture with what a reader who cannot see it needs, and its numbers as a table."""

    name: str
    title: str
    description: str
    svg: str
    legend: tuple[Mark, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def csv(self) -> str:
        """The numbers as RFC 4180; a cell of text never begins as a formula."""
        buffer = io.StringIO()
        table = csv.writer(buffer)
        table.writerow(self.columns)
        table.writerows([_cell(cell) for cell in row] for row in self.rows)
        return buffer.getvalue()

    @property
    def csv_link(self) -> str:
        """The same as an address that needs no network."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv)}"


def _cell(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return float(f"{cell:.8g}") if isfinite(cell) else ""
    if isinstance(cell, str):
        shown = printable(cell)
        return f"'{shown}" if shown.startswith(("=", "+", "-", "@", "\t", "\r")) else shown
    return cell


def drawable(cost: float) -> bool:
    """Whether a cost has a place on a logarithmic axis."""
    return isfinite(cost) and cost > 0


def at_cost(name: str, cost: float) -> str:
    """A model and what it costs, as a mark says it."""
    return f"{name}, {fmt.usd(cost)} per 1,000"


def of_trials(number: int) -> str:
    """1 trial, 2 trials."""
    return "1 trial" if number == 1 else f"{fmt.count(number)} trials"


def spread(values: Sequence[float], room: float) -> tuple[float, float]:
    """The two ends of values with some room."""
    low, high = min(values), max(values)
    margin = room * (high - low) or room
    return low - margin, high + margin
