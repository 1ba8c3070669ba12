"""From records to what people read: report.html, report.json and the tables.

Loads neither torch nor timm, optuna or ray: a stored run can be rendered on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from autokd.errors import RunError
from autokd.files import is_new, make_folder
from autokd.records import Report, TrialRecord
from autokd.report.assemble import assemble
from autokd.report.html import write_html
from autokd.runs.folder import Run
from autokd.runs.options_table import write_options
from autokd.runs.store import REPORT, read_finalists
from autokd.runs.tables import stored_trials, trials_text, write_finalists

__all__ = ["assemble", "render", "write_copy", "write_reports"]

Format = Literal["html", "csv", "json"]


def write_reports(run: Run, report: Report) -> None:
    """Write report.json and .html, options.csv and finalists.csv; trials.csv and finalists.json are read if there."""
    finalists = read_finalists(run.path)
    REPORT.write(run.path, report)
    write_finalists(run.path, finalists)
    write_options(run.path, report)
    write_html(run, report, stored_trials(run.path), finalists)


def write_copy(run: Run, report: Report, trials: Sequence[TrialRecord], folder: Path) -> None:
    """Write report.json, report.html and options.csv of another verdict on a run into a folder of their own.

    `trials` are the run's, at the costs of that verdict. Raises RunError where the folder holds anything.
    """
    if not is_new(folder):
        raise RunError(f"{folder} is not empty; choose another folder")
    make_folder(folder)
    REPORT.write(folder, report)
    write_options(folder, report)
    write_html(run, report, trials, read_finalists(run.path), folder)


def render(run: Run, format: Format) -> Path | str:  # noqa: A002 - the name of the option
    """Render a stored result again, for `autokd report RUN --format ...`.

    html: writes report.html and returns its path. csv: writes options.csv and finalists.csv and returns the table of
    trials as text. json: returns report.json as text. Raises RunError for a run that has no result yet.
    """
    report = REPORT.read(run.path)
    if format == "json":
        return report.model_dump_json(indent=2)
    finalists = read_finalists(run.path)
    if format == "csv":
        write_finalists(run.path, finalists)
        write_options(run.path, report)
        return trials_text(stored_trials(run.path))
    return write_html(run, report, stored_trials(run.path), finalists)
