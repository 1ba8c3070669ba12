"""Runs side by side: on a terminal, as a table, as a page, and from Python."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from believable_run import make_decision, make_policy, make_run, make_task
from click.testing import CliRunner, Result

import autokd
from autokd.cli import cli
from autokd.errors import AutokdError, ConfigError, RunError
from autokd.report import assemble, write_reports
from autokd.report.compare_runs import compare_runs
from autokd.runs.folder import Run
from autokd.runs.options_table import OPTION_COLUMNS


def finished(path: Path, verdict: str, **settings: object) -> Run:
    """A run with a report; settings differ from those of the believable run."""
    run = make_run(path, [], histories=False)
    manifest = run.manifest
    run.write(manifest.model_copy(update={"settings": manifest.settings.model_copy(update=settings)}))
    write_reports(run, assemble(run, make_decision(verdict), make_policy()))
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One that says distill, one that keeps the teacher under a larger budget; do not change them."""
    root = tmp_path_factory.mktemp("runs")
    first = finished(root / "resnet152-20260504-a1b2c3", "distill")
    second = finished(root / "resnet152-20260505-d4e5f6", "keep_teacher", max_cost=0.5)
    return [first.path, second.path]


def called(*arguments: object, width: int = 100) -> Result:
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)], env={"COLUMNS": str(width)})


@pytest.mark.parametrize("width", [80, 100])
def test_the_terminal_shows_verdicts_options_and_what_differs(
    runs: list[Path], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.cli.output.PIPED_WIDTH", width)
    result = called(*runs)
    assert result.exit_code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= width
    words = " ".join(result.stdout.split())
    assert "87 of 100" in words and "0.60 points" in words and "97 of 100" in words
    assert "distilled *" in words and "teacher *" in words
    assert "96.3 (95.5–97.0) 98.8 0.000164 60.74" in words
    assert re.search(r"setting --max-cost 0.002 0.5", words)


def test_the_table_has_a_row_for_each_option_and_a_column_for_what_differs(runs: list[Path], tmp_path: Path) -> None:
    assert called(*runs, "--output", tmp_path / "c.csv").exit_code == 0
    content = (tmp_path / "c.csv").read_bytes().decode()
    rows = list(csv.DictReader(content.splitlines()))
    assert [(row["run"], row["option"]) for row in rows] == [
        (runs[0].name, "teacher"), (runs[0].name, "direct"), (runs[0].name, "distilled"), (runs[1].name, "teacher"),
    ]  # fmt: skip
    assert set(OPTION_COLUMNS) < set(rows[0])
    assert [row["setting_max_cost"] for row in rows] == ["0.002"] * 3 + ["0.5"]
    assert content.count("\r\n") == 5


def test_from_python_it_is_a_data_frame(runs: list[Path]) -> None:
    frame = autokd.compare([runs[0], autokd.load_run(runs[1])])
    assert list(frame.option) == ["teacher", "direct", "distilled", "teacher"]
    assert frame.setting_max_cost.max() == 0.5
    assert frame.accuracy.dtype == float


def test_json_has_verdicts_options_and_what_differs(runs: list[Path]) -> None:
    content = json.loads(called(*runs, "--json").stdout)
    assert [run["verdict"] for run in content["runs"]] == ["distill", "keep_teacher"]
    assert content["runs"][0]["options"]["distilled"]["accuracy"]["low"] < 0.96
    assert {"group": "setting", "name": "max_cost", "values": [0.002, 0.5]} in content["differing"]


def test_the_page_is_whole_and_escapes_what_users_wrote(runs: list[Path], tmp_path: Path) -> None:
    evil = finished(tmp_path / "<script>alert(1)", "distill", space='"><img src=x onerror=alert(1)>')
    assert called(runs[0], evil.path, "--output", tmp_path / "c.html").exit_code == 0
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.findall(r"https?://|src=\"|href=", page)
    assert page.count("<table>") == 3


def test_other_data_and_other_hardware_are_said(runs: list[Path], tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", [], task=make_task().model_copy(update={"fingerprint": "0"}), histories=False)
    write_reports(other, assemble(other, make_decision(), make_policy()))
    assert compare_runs(runs).notes == ()
    assert compare_runs([runs[0], other.path]).notes == ("The data differ: their accuracies are of different images.",)
    result = called(runs[0], other.path)
    assert "The data differ" in result.stdout


def test_hidden_labels_make_no_other_images(runs: list[Path], tmp_path: Path) -> None:
    task = make_task()
    hidden = task.model_copy(update={"fingerprint": "0", "unhidden_fingerprint": task.fingerprint})
    other = make_run(tmp_path / "hidden", [], task=hidden, histories=False)
    write_reports(other, assemble(other, make_decision(), make_policy()))
    compared = compare_runs([runs[0], other.path])
    assert compared.notes == ()
    assert ("data", "fingerprint") in {(each.group, each.name) for each in compared.differing}


def test_what_cannot_be_compared_is_one_sentence(runs: list[Path], tmp_path: Path) -> None:
    unfinished = make_run(tmp_path / "unfinished", [], histories=False).path
    cases: list[tuple[list[Path], type[AutokdError], str]] = [
        ([runs[0]], RunError, "two runs or more; name another run folder"),
        ([runs[0], runs[0].parent / "." / runs[0].name], RunError, "is named twice; name every run once"),
        ([runs[0], tmp_path], RunError, "holds no run"),
        ([runs[0], unfinished], RunError, "the run did not get that far; finish it with resume=True"),
    ]
    for paths, kind, words in cases:
        with pytest.raises(kind, match=words):
            compare_runs(paths)
    with pytest.raises(ConfigError, match=r"neither a table nor a page; give output='FILE.csv' or output='FILE.html'"):
        compare_runs(runs).write(tmp_path / "c.xlsx")
