"""report.html: one file that opens anywhere, without a network and without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autokd.decide.what_if import screening_under
from autokd.files import write_text
from autokd.formatting import printable
from autokd.records import EpochReport, FinalistRecord, Report, Screening, TrialRecord
from autokd.report.charts.all import charts
from autokd.report.charts.base import Chart
from autokd.report.charts.learning_curves import Histories, curve_numbers
from autokd.report.charts.reliability import Reliability, read_reliability
from autokd.report.page import Page, build_page
from autokd.report.sections.glossary import GLOSSARY, explained
from autokd.report.sections.provenance import Provenance, copied_page, own_page
from autokd.report.sections.what_if import what_if
from autokd.report.table import ROWS_ON_PAGE
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, SCREENING
from autokd.runs.tables import read_history

TEMPLATES = Path(__file__).parent / "templates"


def write_html(
    run: Run,
    report: Report,
    trials: Sequence[TrialRecord] = (),
    finalists: Sequence[FinalistRecord] = (),
    folder: Path | None = None,
) -> Path:
    """Write report.html into the run folder, or another, and return its path.

    Learning curves come from the run's trials/<n>/history.csv.
    """
    path = (folder or run.path) / "report.html"
    text = render_html(
        report,
        trials,
        finalists,
        provenance=copied_page(report, run, folder) if folder else own_page(report, run),
        histories=read_histories(run, trials),
        screening=_screening(run, report),
        config=run.config_path.read_text(encoding="utf-8", errors="replace") if run.config_path.is_file() else "",
        seed=run.manifest.seed,
        reliability=read_reliability(run, report),
        evidence=what_if(run, report, str(run.path.resolve() if folder else run.path)),
    )
    write_text(path, text)
    return path


def _screening(run: Run, report: Report) -> Screening | None:
    """The screening at the costs of the report, where there was one."""
    screening = SCREENING.read_if_there(run.path)
    return screening and screening_under(screening, COSTS.read(run.path), report.cost_model)


def read_histories(run: Run, trials: Sequence[TrialRecord]) -> dict[int, tuple[EpochReport, ...]]:
    """The histories of those trials whose curve is drawn; a thousand trials need not be read for a hundred curves."""
    return {number: read_history(run.trial_path(number)) for number in sorted(curve_numbers(trials))}


def render_html(
    report: Report,
    trials: Sequence[TrialRecord] = (),
    finalists: Sequence[FinalistRecord] = (),
    *,
    provenance: Provenance | None = None,
    histories: Histories | None = None,
    screening: Screening | None = None,
    config: str = "",
    seed: int | None = None,
    reliability: Sequence[Reliability] = (),
    evidence: Mapping[str, Any] | None = None,
) -> str:
    """The page as text; `evidence`: what its own policy needs. Pure: nothing is read but the page's own templates."""
    page = build_page(
        report,
        trials,
        finalists,
        screening=screening,
        provenance=provenance or own_page(report),
        config=config,
        seed=seed,
    )
    return _fill(page, charts(report, trials, histories or {}, screening, reliability), evidence)


def _fill(page: Page, drawn: Mapping[str, Chart], evidence: Mapping[str, Any] | None) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"json_script": json_script, "breakable": breakable, "explained": explained, "drawn": _drawn}
    template = environment.get_template("report.html.j2")
    known = {"charts": drawn, "evidence": evidence, "glossary": GLOSSARY, "rows_on_page": ROWS_ON_PAGE}
    return printable(template.render(page=page, **known))


def _drawn(svg: str) -> Any:
    """A picture's markup; every text and attribute in it was escaped when it was made (charts/svg.py)."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - escaped where it is made


def json_script(value: Any) -> Any:
    """JSON that can stand inside a script element: no character of it can end the element or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - escaped here


def breakable(name: str) -> Any:
    """A long name that may be broken after its joints: resnet18@ width=0.375+ depth=0.5."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[@+_/])", name))
