"""The report is put together from the folder, stored, and read again."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from believable_run import make_decision, make_policy, make_run

from autokd.errors import RunError
from autokd.records import Record, Report
from autokd.report import assemble, render, write_reports
from autokd.runs.folder import Run
from autokd.runs.store import REPORT
from autokd.runs.tables import trials_text

KEYS = [
    "schema_version",
    "verdict",
    "strength",
    "condition",
    "summary",
    "reasons",
    "would_change",
    "task",
    "policy",
    "cost_model",
    "options",
    "gain",
    "advantage",
    "break_even_requests",
    "finalists",
    "advantages",
    "search",
]
TASK_KEYS = ["data", "classes", "train", "val", "test", "image_size", "labelled"]


def test_the_stored_report_comes_back_equal(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    report = assemble(run, make_decision(), make_policy(), student_path="student", student_test_accuracy=0.9)
    REPORT.write(run.path, report)
    assert REPORT.read(run.path) == report


def test_report_json_has_the_keys_that_scripts_read(finished: Run) -> None:
    content = json.loads(REPORT.path(finished.path).read_text())
    assert set(KEYS) <= set(content)
    assert set(TASK_KEYS) <= set(content["task"])
    assert set(content["options"]) == {"teacher", "direct", "distilled", "teacher_forms"}
    assert content["task"]["classes"] == list("0123456789")
    assert content["task"]["labelled"] == content["task"]["train"] == 1_077
    assert content["command"].startswith("autokd search")
    assert "alpha weighs the teacher" in content["formula"]
    assert [student["student"] for student in content["left_out"]] == ["resnet34", "vgg11", "crossvit_9_240"]


@pytest.mark.parametrize("missing", ["task.json", "teacher.json", "costs.json"])
def test_what_is_missing_is_named_with_the_next_step(tmp_path: Path, missing: str) -> None:
    run = make_run(tmp_path / "run")
    (run.path / missing).unlink()
    with pytest.raises(RunError, match=rf"{missing}.*resume=True"):
        assemble(run, make_decision(), make_policy())


def test_a_run_that_searched_nothing_has_an_empty_search(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], finalists=[])
    report = assemble(run, make_decision("none"), make_policy())
    assert (report.search.trials, report.search.usd, report.finalists) == (0, 0, ())


def test_an_unfinished_run_has_no_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with pytest.raises(RunError, match="resume=True"):
        REPORT.read(run.path)


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "cannot be read"), ("{}", "damaged"), ("[]", "damaged"), ('{"schema_version": 99}', "newer autokd")],
)
def test_a_damaged_report_is_named(tmp_path: Path, content: str, words: str) -> None:
    run = make_run(tmp_path / "run")
    REPORT.path(run.path).write_text(content)
    with pytest.raises(RunError, match=words):
        REPORT.read(run.path)


def test_all_reports_are_written(finished: Run) -> None:
    names = {path.name for path in finished.path.iterdir()}
    assert {"report.html", "report.json", "options.csv", "finalists.csv", "trials.csv"} <= names


def test_the_options_have_a_row_each_under_the_verdict(finished: Run) -> None:
    report = REPORT.read(finished.path)
    rows = list(csv.DictReader((finished.path / "options.csv").open(newline="")))
    assert [row["option"] for row in rows] == ["teacher", "direct", "distilled"]
    assert [row["recommended"] for row in rows].count("True") == 1
    assert {row["verdict"] for row in rows} == {report.verdict}
    assert {float(row["repeatability"]) for row in rows} == {report.repeatability}
    assert {float(row["at_stake_accuracy"]) for row in rows} == {report.at_stake.points}
    assert float(rows[0]["accuracy"]) == report.options.teacher.accuracy.mean


def test_rendering_again_changes_nothing_but_writes_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    write_reports(run, assemble(run, make_decision(), make_policy()))
    page, stored = (run.path / "report.html").read_text(), REPORT.path(run.path).read_text()
    (run.path / "report.html").unlink()
    (run.path / "finalists.csv").unlink()
    (run.path / "options.csv").unlink()

    assert render(run, "html") == run.path / "report.html"
    assert (run.path / "report.html").read_text() == page
    assert render(run, "csv") == (run.path / "trials.csv").read_bytes().decode()
    assert (run.path / "finalists.csv").is_file()
    assert (run.path / "options.csv").is_file()
    text = render(run, "json")
    assert isinstance(text, str) and json.loads(text) == json.loads(stored)


def test_rendering_a_run_without_trials(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], finalists=[])
    write_reports(run, assemble(run, make_decision("none"), make_policy()))
    assert render(run, "csv") == trials_text([])


def test_the_page_names_the_files_in_its_folder(finished: Run, tmp_path: Path) -> None:
    page = (finished.path / "report.html").read_text()
    assert "in the same folder: report.json, trials.csv, finalists.csv." in page
    bare = make_run(tmp_path / "run", [], finalists=[])
    write_reports(bare, assemble(bare, make_decision("none"), make_policy()))
    assert "in the same folder: report.json, finalists.csv." in (bare.path / "report.html").read_text()


def test_reading_a_run_loads_no_machine_room() -> None:
    code = (
        "import sys, autokd.report, autokd.report.page, autokd.report.charts.all\n"
        "heavy = {'torch', 'timm', 'optuna', 'ray', 'pandas', 'jinja2', 'sklearn', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rendering_a_page_loads_no_machine_room(finished: Run) -> None:
    code = (
        "import sys, pathlib, autokd.report as r\nfrom autokd.runs.folder import Run\n"
        f"r.render(Run.open(pathlib.Path({str(finished.path)!r})), 'html')\n"
        "print(sorted({'torch', 'timm', 'optuna', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_key_of_report_json_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "run-folder.md").read_text()
    named = set(re.findall(r"`([a-z_0-9]+)[`\[]", text))
    missing = {f"{kind.__name__}.{name}" for kind in _records_in(Report) for name in set(kind.model_fields) - named}
    assert missing == set()


def _records_in(kind: Any) -> set[type[Record]]:
    """A record and every record that its fields hold."""
    if isinstance(kind, type) and issubclass(kind, Record):
        fields = (field.annotation for field in kind.model_fields.values())
        return {kind}.union(*(_records_in(annotation) for annotation in fields))
    return set().union(*(_records_in(part) for part in get_args(kind)))
