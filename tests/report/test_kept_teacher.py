"""The teacher is kept beside a distilled student that meets the limits: the page says why that one is not taken."""

from __future__ import annotations

from pathlib import Path

from believable_run import make_decision, make_finalists, make_policy, make_run, student_option, summarise
from test_page import Reading

from autokd.records import Difference, Options, Report
from autokd.report import assemble
from autokd.report.html import render_html
from autokd.report.sections.finalists_and_trials import finalists_table

WHY_NOT = "is not shown to gain by distilling, which it has to where the teacher can be kept"


def report_of(path: Path) -> Report:
    """Finalist 100 is the nearest of the distill arm, and eligible; 103 is the nearest direct one."""
    refused = {
        100: {"worthwhile": False, "why_not": (WHY_NOT,)},
        103: {"eligible": False, "worthwhile": False, "why_not": ("keeps too little",)},
    }
    summaries = {f.number: summarise(f) for f in make_finalists()}
    options = Options(
        teacher=make_decision("keep_teacher").options.teacher,
        direct=student_option(summaries[103], **refused[103]),
        distilled=student_option(summaries[100], **refused[100]),
    )
    finalists = tuple(s.model_copy(update=refused.get(n, refused[103])) for n, s in summaries.items())
    gain = Difference(mean=0.002, low=-0.004, high=0.008, detectable=0.008)
    decision = make_decision("keep_teacher", options=options, finalists=finalists, gain=gain)
    return assemble(make_run(path, [], histories=False), decision, make_policy())


def test_the_page_says_why_the_distilled_student_is_not_taken(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run")
    words = Reading(render_html(report, (), make_finalists())).words
    options = words.split("Why not")[1].split("Second lines")[0]
    assert options.strip() == f"– keeps too little {WHY_NOT}"
    assert "The teacher is not shown to help." in words


def test_the_finalist_that_comes_nearest_has_the_remark(tmp_path: Path) -> None:
    table = finalists_table(report_of(tmp_path / "run"))
    remarks = {row[0]: note for row, note in zip(table.rows, table.notes, strict=True)}
    assert remarks["100"] == f"within the limits; {WHY_NOT}"
    assert [number for number, remark in remarks.items() if WHY_NOT in remark] == ["100"]
