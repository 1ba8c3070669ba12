"""From records to what people read: report.html, report.json and the tables.

Loads neither torch nor timm, optuna or ray: a stored run can be rendered on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from autokd.errors import RunError
from autokd.records import Report, TrialRecord
from autokd.report.assemble import assemble, read_finalists, read_report, write_json
from autokd.report.html import write_html
from autokd.runs.folder import Run
from autokd.runs.tables import read_history, read_trials, trials_text, write_finalists, write_trials

__all__ = [
    "assemble",
    "read_finalists",
    "read_history",
    "read_report",
    "read_trials",
    "render",
    "stored_trials",
    "write_copy",
    "write_finalists",
    "write_reports",
    "write_trials",
]

Format = Literal["html", "csv", "json"]


def write_reports(run: Run, report: Report) -> None:
    """Write report.json, finalists.csv and report.html; trials.csv and finalists.json are read where they exist."""
    finalists = read_finalists(run)
    write_json(run, report)
    write_finalists(run.path / "finalists.csv", finalists)
    write_html(run, report, stored_trials(run), finalists)


def write_copy(run: Run, report: Report, trials: Sequence[TrialRecord], folder: Path) -> None:
    """Write report.json and report.html of another verdict on a run into a folder of their own.

    `trials` are the run's, at the costs of that verdict. Raises RunError where the folder holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} is not empty; choose another --output")
    folder.mkdir(parents=True, exist_ok=True)
    run.write_json(folder / "report.json", report.model_dump(mode="json"))
    write_html(run, report, trials, read_finalists(run), folder)


def render(run: Run, format: Format) -> Path | str:  # noqa: A002 - the name of the option
    """Render a stored result again, for `autokd report RUN --format ...`.

    html: writes report.html and returns its path. csv: writes finalists.csv and returns the table of trials as text.
    json: returns report.json as text. Raises RunError for a run that has no result yet.
    """
    report = read_report(run)
    if format == "json":
        return report.model_dump_json(indent=2)
    finalists = read_finalists(run)
    if format == "csv":
        write_finalists(run.path / "finalists.csv", finalists)
        return trials_text(stored_trials(run))
    return write_html(run, report, stored_trials(run), finalists)


def stored_trials(run: Run) -> tuple[TrialRecord, ...]:
    """The trials in trials.csv; none where there is no such file."""
    path = run.path / "trials.csv"
    return read_trials(path) if path.is_file() else ()
