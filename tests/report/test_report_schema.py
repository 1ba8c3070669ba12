"""docs/report.schema.json is that of the records, and what is written as report.json is valid by it."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import pytest
from believable_run import make_decision, make_policy, make_run, teacher_option
from jsonschema import Draft202012Validator, ValidationError

from autokd.records import AtStake, Options
from autokd.report import assemble, write_reports
from autokd.result import SearchResult
from autokd.runs.folder import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema() -> Any:
    return json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def test_the_schema_is_up_to_date(schema: Any) -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "make_schema.py"))["text"]()
    assert made == (ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"), "run scripts/make_schema.py"


def test_the_schema_is_one_and_describes_every_key_of_the_report(schema: Any) -> None:
    Draft202012Validator.check_schema(schema)
    assert [key for key, value in schema["properties"].items() if not value.get("description")] in ([], ["cost_model"])
    assert [name for name, value in schema["$defs"].items() if not value.get("description")] == []


@pytest.mark.parametrize("verdict", ["distill", "use_small_model", "keep_teacher", "none"])
def test_a_written_report_is_valid(schema: Any, tmp_path: Path, verdict: str) -> None:
    run = make_run(tmp_path / "run", histories=False)
    write_reports(run, assemble(run, make_decision(verdict), make_policy()))
    Draft202012Validator(schema).validate(stored(run.path))


def test_a_report_with_costs_without_a_limit_is_valid(schema: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", histories=False)
    unlimited = Options(teacher=teacher_option(cost_usd_per_1k=math.inf), direct=None, distilled=None)
    stake = AtStake(points=0.0, usd_per_1k=math.inf)
    write_reports(run, assemble(run, make_decision("none", options=unlimited, at_stake=stake), make_policy()))
    assert stored(run.path)["at_stake"]["usd_per_1k"] is None
    Draft202012Validator(schema).validate(stored(run.path))


def test_the_report_of_a_search_and_of_a_full_audit_are_valid(schema: Any, finished: Run, done: SearchResult) -> None:
    for folder in (finished.path, done.path):
        Draft202012Validator(schema).validate(stored(folder))
    Draft202012Validator(schema).validate(json.loads(done.decide(max_cost=0.5).model_dump_json()))


def test_another_key_and_a_missing_one_are_refused(schema: Any, finished: Run) -> None:
    whole = stored(finished.path)
    for other in (whole | {"invented": 1}, {key: whole[key] for key in whole if key != "verdict"}):
        with pytest.raises(ValidationError):
            Draft202012Validator(schema).validate(other)


def stored(folder: Path) -> Any:
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))
