"""The sample runs in reports/samples/, and the script that makes them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from autokd.cli import cli
from autokd.result import load_run

SAMPLES = Path(__file__).parents[1] / "reports" / "samples"
NAMES = sorted(path.name for path in SAMPLES.iterdir())


def call(*arguments: object) -> Any:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_there_is_one_of_each_verdict_that_names_a_student() -> None:
    assert NAMES == ["distill", "use_small_model"]


@pytest.mark.parametrize("name", NAMES)
def test_its_name_is_its_verdict_and_decide_says_the_same(name: str) -> None:
    stored = load_run(SAMPLES / name)
    assert stored.verdict == name
    again = call("decide", SAMPLES / name, "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["verdict"] == name


@pytest.mark.parametrize("name", NAMES)
def test_its_page_is_that_of_this_version(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names its run as it was called: `autokd report NAME` in the folder of the samples writes it again."""
    shutil.copytree(SAMPLES / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert call("report", name).exit_code == 0
    written = (SAMPLES / name / "report.html").read_text("utf-8")
    assert (tmp_path / name / "report.html").read_text("utf-8") == written
    assert len(written) < 500_000


@pytest.mark.parametrize("name", NAMES)
def test_its_report_has_all_that_this_version_writes(name: str) -> None:
    schema = json.loads((SAMPLES.parents[1] / "docs" / "report.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(json.loads((SAMPLES / name / "report.json").read_text("utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_it_holds_no_path_of_a_machine(name: str) -> None:
    for path in (SAMPLES / name).rglob("*"):
        if path.suffix in {".json", ".csv", ".log", ".toml", ".html"}:
            assert not re.search(r"[\s\"'>=](/(root|home|tmp|work|usr|opt|var)/)", path.read_text("utf-8")), path
