"""What a search returns, and the one place that turns a stored run back into a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autokd.errors import RunError
from autokd.records import Options, Report, Strength, Verdict
from autokd.report import read_report
from autokd.run import Run

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn


class SearchResult:
    """A finished run. Everything is read from its folder."""

    def __init__(self, run: Run, report: Report) -> None:
        self._run, self.report = run, report

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._run.path

    @property
    def verdict(self) -> Verdict:
        """`distill`, `use_small_model`, `keep_teacher` or `none`."""
        return self.report.verdict

    @property
    def strength(self) -> Strength:
        """`strong` or `weak`."""
        return self.report.strength

    @property
    def summary(self) -> str:
        """The verdict in one sentence."""
        return self.report.summary

    @property
    def options(self) -> Options:
        """The teacher, the direct and the distilled option with their numbers."""
        return self.report.options

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, as in trials.csv; empty where nothing was trained."""
        import pandas as pd

        path = self.path / "trials.csv"
        return pd.read_csv(path) if path.exists() else pd.DataFrame()

    def student(self) -> nn.Module:
        """The recommended student with its weights, in evaluation mode.

        Raises RunError where the verdict recommends none.
        """
        if not (self._run.student_path / "config.json").exists():
            raise RunError(f"the verdict of {self.path} is {self.verdict}: it recommends no student")
        import timm

        model: nn.Module = timm.create_model(f"local-dir:{self._run.student_path.resolve()}", pretrained=True)
        return model.eval()

    def __repr__(self) -> str:
        return f"<SearchResult {self.verdict} ({self.strength}): {self.summary} [{self.path}]>"


def load_run(path: str | Path) -> SearchResult:
    """A finished run from its folder; raises RunError where there is none, or where it has no verdict yet."""
    run = Run.open(Path(path))
    return SearchResult(run, read_report(run))
