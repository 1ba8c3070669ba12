"""The teacher is kept beside a worthwhile distilled student: page and terminal say why that student is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision, make_finalists, make_policy, make_run, student_option, summarise
from test_page import Reading

from autokd.cli.terminal import print_report
from autokd.records import Difference, Options, Report
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.listing import finalists_table
from autokd.report.unproven import WHY_NOT, is_unproven


def report_of(path: Path, worthwhile: bool = True) -> Report:
    """Finalist 100 is the distilled pick, or only the nearest one of its arm, and 103 the nearest direct one."""
    refused = {"eligible": False, "worthwhile": False, "why_not": ("keeps too little",)}
    summaries = {f.number: summarise(f) for f in make_finalists()}
    chosen = {100: worthwhile, 103: False}
    finalists = tuple(s if chosen.get(n, False) else s.model_copy(update=refused) for n, s in summaries.items())
    options = Options(
        teacher=make_decision("keep_teacher").options.teacher,
        direct=student_option(summaries[103], **refused),
        distilled=student_option(summaries[100], **({} if worthwhile else refused)),
    )
    gain = Difference(mean=0.002, low=-0.004, high=0.008, detectable=0.008)
    decision = make_decision("keep_teacher", options=options, finalists=finalists, gain=gain)
    return assemble(make_run(path, [], histories=False), decision, make_policy())


def test_the_page_says_why_the_distilled_student_is_not_taken(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run")
    words = Reading(render_html(report, (), make_finalists())).words
    options = words.split("Why not")[1].split("Second lines")[0]
    assert options.strip() == f"– keeps too little {WHY_NOT}"
    assert "That the teacher helped is not shown, so the teacher is kept." in words
    assert "The pick of each arm is marked, though the verdict takes none;" in words


def test_the_pick_among_the_finalists_has_the_remark(tmp_path: Path) -> None:
    table = finalists_table(report_of(tmp_path / "run"))
    remarks = {row[0]: note for row, note in zip(table.rows, table.notes, strict=True)}
    assert remarks["100"] == f"worthwhile, but {WHY_NOT}"
    assert [number for number, remark in remarks.items() if WHY_NOT in remark] == ["100"]


def test_the_terminal_does_not_leave_it_at_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(report_of(tmp_path / "run"), tmp_path / "run")
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("distilled ")).endswith("yes, but no gain is shown")


def test_a_teacher_kept_for_other_reasons_is_not_called_unproven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_of(tmp_path / "run", worthwhile=False)
    assert not is_unproven(report)
    assert WHY_NOT not in render_html(report, (), make_finalists())
    print_report(report, tmp_path / "run")
    assert "but no gain" not in capsys.readouterr().out


def test_the_tile_of_a_kept_teacher_does_not_compare_it_with_itself(tmp_path: Path) -> None:
    words = Reading(render_html(report_of(tmp_path / "run"))).words
    assert "97.5 % on the test images" in words
    assert "teacher 97.5 %" not in words
