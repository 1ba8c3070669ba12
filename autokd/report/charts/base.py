"""What the charts have in common: tones, the legend that the page writes as text, and a frame without colours."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from autokd.records import Arm

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Tones that stand out from white and from near-black alike, and from each other for the colour-blind.
COLOURS: dict[Arm, str] = {"distill": "#2b83c9", "direct": "#e0802b"}
GLYPHS = {
    "circle": "\u25cf",
    "circle-open": "\u25cb",
    "diamond": "\u25c6",
    "diamond-open": "\u25c7",
    "square": "\u25a0",
    "triangle-up": "\u25b2",
    "star": "\u2605",
}


@dataclass(frozen=True)
class Mark:
    """One entry of a legend; its place is that of the trace it explains."""

    glyph: str
    colour: str
    label: str


@dataclass(frozen=True)
class Chart:
    """A figure with what a reader who cannot see it needs."""

    name: str
    title: str
    description: str
    figure: Figure

    @property
    def legend(self) -> tuple[Mark, ...]:
        """One mark for each trace that has a name."""
        return tuple(_mark(trace) for trace in self.figure.data if trace.name)


def _mark(trace: Any) -> Mark:
    if trace.mode == "markers":
        return Mark(GLYPHS[trace.marker.symbol], trace.marker.color, trace.name)
    line = "\u2504" if trace.line.dash else "\u2501" if trace.line.width > 2 else "\u2500"
    return Mark(line, trace.line.color, trace.name)


def finish(figure: Figure) -> None:
    """Frame and margins. The page gives size, legend and the colours of text and grid, which follow light and dark."""
    figure.update_layout(
        template="none",
        margin={"l": 60, "r": 16, "t": 10, "b": 52},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
        showlegend=False,
    )
    figure.update_xaxes(automargin=True, zeroline=False, tickangle=0)
    figure.update_yaxes(automargin=True, zeroline=False)


def drawable(cost: float) -> bool:
    """Whether a cost has a place on a logarithmic axis."""
    return isfinite(cost) and cost > 0


def short(number: float) -> float:
    """Five significant digits: more than a chart can show, and a third of the bytes."""
    return float(f"{number:.5g}")
