"""The pictures of the page one by one: each a whole SVG file, which a notebook shows."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape

from autokd.formatting import printable
from autokd.records import Report
from autokd.report.charts.all import charts
from autokd.report.charts.base import Chart
from autokd.report.html import TEMPLATES, read_histories
from autokd.runs.folder import Run
from autokd.runs.store import SCREENING
from autokd.runs.tables import stored_trials


@dataclass(frozen=True)
class Picture:
    """`svg` is the content of a file that any browser shows; `description` is for who cannot see it."""

    title: str
    description: str
    legend: tuple[str, ...]  # what each mark stands for
    svg: str

    def __repr__(self) -> str:
        return f"<Picture: {self.title}>"

    def _repr_html_(self) -> str:
        """In a notebook; as an image, so that its style stays its own."""
        data = b64encode(self.svg.encode()).decode()
        image = (
            f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(self.description)}" style="background: #fff">'
        )
        legend = escape(" \u00a0 ".join(self.legend))
        return f"<figure><strong>{escape(self.title)}</strong>{image}<figcaption>{legend}</figcaption></figure>"


class Pictures(dict[str, Picture]):
    """By name, in the order of the page."""

    def __repr__(self) -> str:
        return f"<Pictures: {', '.join(self) or 'none'}>"

    def _repr_html_(self) -> str:
        return "".join(picture._repr_html_() for picture in self.values())


def pictures_of(run: Run, report: Report) -> Pictures:
    """Those of a report on a run; one that there is nothing to draw for is absent."""
    trials = stored_trials(run.path)
    drawn = charts(report, trials, read_histories(run, trials), SCREENING.read_if_there(run.path))
    style = (TEMPLATES / "chart.css").read_text(encoding="utf-8")
    return Pictures({name: _picture(chart, style) for name, chart in drawn.items()})


def _picture(chart: Chart, style: str) -> Picture:
    """A chart with the style that the page gives it; half a surrogate pair in a name becomes its escape."""
    tag, _, content = chart.svg.partition(">")
    named = tag if "xmlns=" in tag else tag.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    svg = printable(f"{named}><style>{style}</style>{content}")
    return Picture(chart.title, chart.description, tuple(f"{m.glyph} {m.label}" for m in chart.legend), svg)
