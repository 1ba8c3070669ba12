"""Finished runs side by side: their verdicts, their options, and what differs in data, settings, costs and hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import floor
from pathlib import Path
from types import NoneType
from typing import Any, Literal

from autokd.config import SearchConfig
from autokd.errors import ConfigError, RunError
from autokd.files import write_text
from autokd.formatting import VERDICTS, clean, usd
from autokd.naming import named, set_to
from autokd.records import Report, known_options, option_cells, option_heads
from autokd.report.table import Column, Table
from autokd.report.tables_page import tables_page
from autokd.runs.folder import Run
from autokd.runs.options_table import OPTION_COLUMNS, option_rows
from autokd.runs.store import REPORT, TASK
from autokd.runs.tables import table_text

Group = Literal["data", "teacher", "setting", "cost", "hardware", "version"]
Fact = str | float | None  # int and bool included
Facts = dict[tuple[Group, str], Fact]

RUN_COLUMNS = ("run", "path", "created", "teacher", "data", "test_images")  # before those of options.csv
NOT_SET = "not set"
OF_TASK = ("fingerprint", "train", "val", "test", "labelled")
OF_COST = ("instance", "price_usd_per_hour", "price_date", "device", "runtime", "precision", "batch_size")


@dataclass(frozen=True)
class ComparedRun:
    """A finished run; its settings are those that it ran with, the ones that depend on the data's size included."""

    path: Path
    report: Report
    settings: SearchConfig
    images: str  # fingerprint of its pictures and their labels, hidden ones included

    @property
    def facts(self) -> Facts:
        """What the run started from; None for a setting that was not given."""
        report, cost = self.report, self.report.cost_model
        settings = self.settings.model_dump(exclude={"cache_dir"})
        found: dict[tuple[Group, str], object] = {
            **{("data", name): report.task.get(name) for name in OF_TASK},
            ("data", "classes"): len(report.task["classes"]),
            ("data", "pixels"): report.task["image_size"],
            ("teacher", "weights"): report.teacher.weights,
            ("teacher", "fingerprint"): report.teacher.fingerprint,
            **{("setting", name): value for name, value in settings.items()},
            **{("cost", name): getattr(cost, name) for name in OF_COST},
            ("cost", "measured_on"): cost.measured_on.label if cost.measured_on else None,
            **{("hardware", name): value for name, value in report.hardware.items()},
            **{("version", name): value for name, value in report.versions.items()},
        }
        plain = (str, int, float, NoneType)
        return {key: value if isinstance(value, plain) else str(value) for key, value in found.items()}


@dataclass(frozen=True)
class Differing:
    """Something that is not the same in all runs, with its value in each; None: not set, or not known there."""

    group: Group
    name: str
    values: tuple[Fact, ...]


@dataclass(frozen=True)
class RunComparison:
    """Two runs or more, in the order in which they were named."""

    runs: tuple[ComparedRun, ...]

    @property
    def differing(self) -> tuple[Differing, ...]:
        """What differs, in the order data, teacher, settings, costs, hardware, versions."""
        facts = [run.facts for run in self.runs]
        names = dict.fromkeys(key for each in facts for key in each)
        order: Sequence[Group] = ("data", "teacher", "setting", "cost", "hardware", "version")
        found = [Differing(*key, tuple(each.get(key) for each in facts)) for key in names]
        return tuple(sorted((d for d in found if len(set(d.values)) > 1), key=lambda d: order.index(d.group)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Of `rows`: the run, the columns of options.csv, then what differs (`setting_max_cost`)."""
        return *RUN_COLUMNS, *OPTION_COLUMNS, *(f"{d.group}_{d.name}" for d in self.differing)

    @property
    def rows(self) -> list[dict[str, object]]:
        """One row for each option of each run."""
        return [
            _run_cells(run) | option | {f"{d.group}_{d.name}": d.values[place] for d in self.differing}
            for place, run in enumerate(self.runs)
            for option in option_rows(run.report)
        ]

    @property
    def notes(self) -> tuple[str, ...]:
        """Why numbers of these runs may not be comparable, a sentence each."""
        differ = {(each.group, each.name) for each in self.differing}
        other_images = len({run.images for run in self.runs}) > 1
        other_machine = ("cost", "measured_on") in differ
        return (
            *(["The data differ: their accuracies are of different images."] if other_images else []),
            *(["Costs were measured on different hardware."] if other_machine else []),
        )

    def as_json(self) -> dict[str, Any]:
        """The verdict, how sure it is, and the options of each run; what differs, and what follows of that."""
        wanted = {"verdict", "strength", "repeatability", "at_stake", "condition", "summary", "options"}
        runs = [_run_cells(run) | run.report.model_dump(mode="json", include=wanted) for run in self.runs]
        return {"runs": runs, "differing": [asdict(each) for each in self.differing], "notes": self.notes}

    def tables(self) -> tuple[Table, ...]:
        """Verdicts, options and what differs, as people read them; runs are numbered from 1."""
        return _verdicts(self.runs), _options(self.runs), _differing(self.differing, len(self.runs))

    def write(self, path: Path) -> None:
        """Write a table (.csv) or a self-contained page (.html); raises ConfigError for another kind of file."""
        if path.suffix == ".csv":
            write_text(path, table_text(self.columns, self.rows))
        elif path.suffix == ".html":
            write_text(path, tables_page("Runs side by side", self.notes, self.tables()))
        else:
            wanted = f"{set_to('output', 'FILE.csv')} or {set_to('output', 'FILE.html')}"
            raise ConfigError(f"{named('output')} {path} is neither a table nor a page; give {wanted}")


def compare_runs(paths: Sequence[Path]) -> RunComparison:
    """Read finished runs; raises RunError for fewer than two, for one named twice, unfinished, or not there."""
    if len(paths) < 2:
        raise RunError("a comparison needs two runs or more; name another run folder")
    known: set[Path] = set()
    for path in paths:
        if path.resolve() in known:
            raise RunError(f"{path} is named twice; name every run once")
        known.add(path.resolve())
    return RunComparison(tuple(_read(Run.open(path)) for path in paths))


def _read(run: Run) -> ComparedRun:
    report, task = REPORT.read(run.path), TASK.read(run.path)
    return ComparedRun(run.path, report, run.settings.sized(report.task["train"]), task.shared_fingerprint)


def _run_cells(run: ComparedRun) -> dict[str, object]:
    report = run.report
    cells = (report.run, str(run.path), report.created, report.teacher.name, report.task["data"], report.task["test"])
    return dict(zip(RUN_COLUMNS, cells, strict=True))


# ---- for people --------------------------------------------------------------------------------------------------


def _verdicts(runs: Sequence[ComparedRun]) -> Table:
    columns = (
        *(Column("#"), Column("Run", wraps="name"), Column("Verdict", wraps="phrase"), Column("Strength")),
        *(Column("Repeats", numeric=True), Column("At stake", numeric=True)),
    )
    rows = [
        (
            str(number),
            run.path.name or str(run.path),
            VERDICTS[run.report.verdict],
            run.report.strength,
            f"{floor(100 * run.report.repeatability)} of 100",
            f"{run.report.at_stake.points * 100:.2f} points, {usd(run.report.at_stake.usd_per_1k)} per 1,000",
        )
        for number, run in enumerate(runs, start=1)
    ]
    return Table("Verdicts", columns, tuple(rows))


def _options(runs: Sequence[ComparedRun]) -> Table:
    """The recommended rows are marked with a star, so that a reader without colours sees them."""
    levels = {run.report.options.teacher.accuracy.level for run in runs}
    heads = [head.capitalize() for head in option_heads(levels.pop() if len(levels) == 1 else None)]
    text, numbers = (
        (Column(heads[0]), Column(heads[1], wraps="name")),
        [Column(head, numeric=True) for head in heads[2:]],
    )
    rows: list[tuple[str, ...]] = []
    marked = []
    for number, run in enumerate(runs, start=1):
        taken = run.report.taken
        for name, option in known_options(run.report.options).items():
            if option is taken:
                marked.append(len(rows))
            rows.append((str(number), *option_cells(f"{name} *" if option is taken else name, option)))
    return Table("Options (* recommended)", (Column("#"), *text, *numbers), tuple(rows), frozenset(marked))


def _differing(differing: Sequence[Differing], runs: int) -> Table:
    columns = (Column("What"), Column("Name"), *(Column(str(number + 1), wraps="name") for number in range(runs)))
    rows = [(d.group, named(d.name) if d.group == "setting" else d.name, *map(_shown, d.values)) for d in differing]
    return Table("What differs", columns, tuple(rows))


def _shown(value: Fact) -> str:
    if value is None:
        return NOT_SET
    return clean(value) if isinstance(value, float) else str(value)
