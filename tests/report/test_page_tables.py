"""Tables that fit: no column is lost, and long names break at their joints."""

from __future__ import annotations

from pathlib import Path

from believable_run import make_finalists
from test_page import report_of

from autokd.report.html import breakable
from autokd.report.page import build_page
from autokd.report.sections.provenance import own_page


def test_no_column_of_the_finalists_is_lost_between_their_two_tables(tmp_path: Path) -> None:
    page = build_page(report := report_of(tmp_path / "run"), (), make_finalists(), provenance=own_page(report))
    labels = [column.label for column in (*page.finalists.columns, *page.recipes.columns)]
    assert set(labels) == {
        "Finalist", "Arm", "Role", "Student", "Starts from", "Test accuracy, %", "95\u00a0% interval", "Retention, %",
        "Cost, $ per 1,000", "Validation accuracy, %", "Loss", "T", "alpha", "Learning rate", "Also", "Epochs", "Seeds",
        "Seconds",
    }  # fmt: skip
    assert page.finalists.notes == ("may be picked",) * 5
    assert [row[0] for row in page.finalists.rows] == [row[0] for row in page.recipes.rows]
    assert page.finalists.marked == page.recipes.marked == {0, 3}
    assert page.recipes.rows[0][4:] == ("kl", "4", "0.9", "0.0012", "–", "12", "3", "184.5")


def test_names_may_break_after_their_joints_only_in_the_markup() -> None:
    assert breakable("resnet18@width=0.5+depth=2") == "resnet18@<wbr>width=0.5+<wbr>depth=2"
    assert breakable("<b>_x") == "&lt;b&gt;_<wbr>x"
