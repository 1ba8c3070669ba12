"""What a search returns, and the one place that turns a stored run back into a model."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autokd.decide import decide, read_evidence
from autokd.decide.audit.audit import audit
from autokd.decide.explain.wording import how_sure
from autokd.decide.what_if import CONDITIONS, left_out_under, trials_under, under_conditions
from autokd.errors import ConfigError, RunError
from autokd.formatting import VERDICTS
from autokd.naming import did_you_mean
from autokd.plain_tables import html_table
from autokd.records import Decision, Options, Report, Strength, Verdict, known_options, option_heads
from autokd.report import assemble, write_copy
from autokd.report.compare_runs import compare_runs
from autokd.report.pictures import Pictures, pictures_of
from autokd.runs.folder import Run
from autokd.runs.store import REPORT
from autokd.runs.tables import TRIALS, stored_trials

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

        path = self.path / TRIALS
        return pd.read_csv(path) if path.exists() else pd.DataFrame()

    def plot(self) -> Pictures:
        """The pictures of the page by name; a notebook shows them all, or one: `result.plot()["NAME"]`.

        Each has its SVG text in `svg`.
        """
        return pictures_of(self._run, self.report)

    def decide(self, **conditions: Any) -> Report:
        """The verdict under other conditions, from the stored evidence; nothing is trained, measured or written.

        conditions: options of `autokd decide` as keywords (max_cost, min_retention, requests_per_month, utilization,
        price_per_hour, costs, ...); what is not given stays as the run had it. Raises UsageError for one that cannot
        be used.
        """
        if unknown := sorted(set(conditions) - set(CONDITIONS)):
            near = did_you_mean(unknown[0], CONDITIONS) or f"; there are {', '.join(CONDITIONS)}"
            raise ConfigError(f"{unknown[0]!r} is not a condition of a verdict{near}")
        given = {name: value for name, value in conditions.items() if value is not None}
        policy = self._run.settings.changed(given).policy()
        stored = read_evidence(self._run)
        evidence = under_conditions(self._run, stored, given, policy)
        report = assemble(
            self._run, decide(evidence, policy), policy, cost_model=evidence.cost_model, search=evidence.search
        )
        left_out = left_out_under(report.left_out, stored, evidence)
        if "costs" in given:  # what decoding takes there was not measured
            report = report.model_copy(update={"decoding": None})
        shown = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
        report = report.model_copy(update={"conditions": shown, "left_out": left_out})
        if recommended(report) != recommended(self.report):
            return report
        shipped = {name: getattr(self.report, name) for name in ("student_path", "student_test_accuracy")}
        return report.model_copy(update=shipped)

    def write(self, report: Report, folder: Path) -> None:
        """Write report.json and report.html of a verdict that `decide` gave into a folder of their own.

        The audit of the other quality metrics is computed from the run. Raises RunError where the folder holds
        anything.
        """
        decision = Decision(**{name: getattr(report, name) for name in Decision.model_fields})
        stored = read_evidence(self._run)
        evidence = under_conditions(self._run, stored, report.conditions, report.policy)
        trials = trials_under(stored_trials(self.path), stored, evidence)
        audited = report.model_copy(update={"audit": audit(self._run, stored, decision)})
        write_copy(self._run, audited, trials, folder)

    def student(self, *, trainable: bool = False) -> nn.Module:
        """The recommended student with its weights, in evaluation mode and in the form that was timed.

        trainable: in the form that is trained instead, with all branches and batch norms.

        Raises RunError where the verdict recommends none, or where its folder is not there.
        """
        if self.report.student_path is None:
            raise RunError(f"the verdict of {self.path} is {self.verdict}: it recommends no student")
        if not (self._run.student_path / "config.json").exists():
            raise RunError(
                f"{self._run.student_path} holds no student; `autokd search --resume --output {self.path}` "
                "writes it again"
            )
        import timm

        from autokd.zoo.served_form import served_form

        model: nn.Module = timm.create_model(f"local-dir:{self._run.student_path.resolve()}", pretrained=True)
        return model.eval() if trainable else served_form(model, self.report.task["image_size"])

    def __repr__(self) -> str:
        return "\n".join([f"{self._headline} [{self.path}]", *self._sentences, "", repr(self.options)])

    def _repr_html_(self) -> str:
        """In a notebook: the verdict, how sure it is, and the options."""
        sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in self._sentences)
        options = self.report.options
        heads = option_heads(options.teacher.accuracy.level)
        taken = [place for place, known in enumerate(known_options(options).values()) if known is self.report.taken]
        table = html_table(heads, options.rows, ["text"] * 2 + ["number"] * (len(heads) - 2), taken)
        return f"<h3>{escape(self._headline)}</h3>{sentences}{table}<p><small>{escape(str(self.path))}</small></p>"

    @property
    def _headline(self) -> str:
        return f"{VERDICTS[self.verdict].capitalize()} ({self.strength})"

    @property
    def _sentences(self) -> list[str]:
        report = self.report
        holds = [f"It holds {report.condition}."] if report.condition else []
        return [report.summary, *holds, how_sure(report.repeatability, report.at_stake)]


def recommended(report: Report) -> int | None:
    """The number of the finalist that a verdict recommends, where it recommends one."""
    option = report.options.recommended(report.verdict)
    return option.finalist if option else None


def compare(runs: Sequence[str | Path | SearchResult]) -> pd.DataFrame:
    """Finished runs side by side: one row for each option of each run, and a column for whatever differs.

    Columns as in the table of `autokd compare --output FILE.csv`. Raises RunError for fewer than two runs, for one that
    is named twice, or for one that has no verdict yet.
    """
    import pandas as pd

    found = compare_runs([run.path if isinstance(run, SearchResult) else Path(run) for run in runs])
    return pd.DataFrame(found.rows, columns=list(found.columns))


def load_run(path: str | Path) -> SearchResult:
    """A finished run from its folder; raises RunError where there is none, or where it has no verdict yet."""
    run = Run.open(Path(path))
    return SearchResult(run, REPORT.read(run.path))
