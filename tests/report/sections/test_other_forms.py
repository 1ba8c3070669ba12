"""Page and options.csv tell what a student costs and keeps in another runtime or precision."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from believable_run import make_run
from made_evidence import direct, distilled, made_evidence, twin, with_form, with_student_form

from autokd.decide import decide
from autokd.records import Policy, Report
from autokd.report import assemble
from autokd.report.sections.comparison import comparison
from autokd.report.sections.cost_assumptions import best_forms
from autokd.runs.options_table import OPTIONS, write_options

LABEL = "In its best other form"


def report_of(tmp_path: Path, with_forms: bool = True) -> Report:
    evidence = made_evidence(distilled(accuracy=0.945), direct(accuracy=0.935), twin(accuracy=0.92))
    if with_forms:
        evidence = with_form(evidence, "int8", 0.0006)
        evidence = with_student_form(with_student_form(evidence, 1, 0.0001), 1, 0.0002, "bf16")
        evidence = with_student_form(evidence, 2, 0.0001, lost=0.06)
    policy = Policy(max_cost=0.01)
    return assemble(make_run(tmp_path / "run", [], histories=False), decide(evidence, policy), policy)


def test_the_page_has_a_row_with_every_form_and_why_one_is_not_good_enough(tmp_path: Path) -> None:
    teacher, direct_cell, distilled_cell = dict(comparison(report_of(tmp_path)).rows)[LABEL]
    assert teacher.value == "\u2013"
    assert distilled_cell.value == direct_cell.value == "$0.0001"
    told = distilled_cell.detail.replace("\u00a0", " ")
    assert told.startswith("as int8 in ONNX Runtime, 94.")
    assert "% on test, one seed; $0.0002 as bf16 in ONNX Runtime, 94." in told
    assert told.endswith("one seed; teacher / student in their best forms: 6.0\u00d7")
    refused = direct_cell.detail.replace("\u00a0", " ")
    assert "on test, one seed, not good enough: it keeps 92." in refused
    assert refused.endswith("best forms: 2.0\u00d7")


def test_the_factor_is_said_in_a_sentence(tmp_path: Path) -> None:
    told = best_forms(report_of(tmp_path))
    assert told is not None
    assert told.startswith(
        "Each in its best form, resnet152 costs 2.0 times what the direct student does and 6.0 times"
    )


def test_without_other_forms_nothing_is_said(tmp_path: Path) -> None:
    report = report_of(tmp_path, with_forms=False)
    assert LABEL not in dict(comparison(report).rows)
    assert best_forms(report) is None


def test_options_csv_has_the_best_form_of_a_student(tmp_path: Path) -> None:
    write_options(tmp_path, report_of(tmp_path))
    teacher, direct_row, distilled_row = csv.DictReader((tmp_path / OPTIONS).read_text().splitlines())
    assert distilled_row["best_form"] == "int8 in ONNX Runtime"
    assert float(distilled_row["best_form_cost_usd_per_1k"]) == 0.0001
    assert 0.93 < float(distilled_row["best_form_test_accuracy"]) < 0.96
    assert float(distilled_row["factor_in_best_forms"]) == pytest.approx(6.0)
    assert (direct_row["best_form"], float(direct_row["factor_in_best_forms"])) == ("", pytest.approx(2.0))
    assert teacher["best_form"] == teacher["factor_in_best_forms"] == ""
