"""The figures in large type, and the cost beside the teacher's wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision
from test_page import report_of

from autokd.report.html import render_html
from autokd.report.page import build_page
from autokd.report.sections.provenance import own_page


@pytest.mark.parametrize(
    ("teacher_cost", "label", "value", "cell"),
    [
        (0.00138, "Cheaper than the teacher", "8.4×", "8.4× lower"),
        (0.000082, "More expensive than the teacher", "2.0×", "2.0× higher"),
        (0.00018, "Cost against the teacher's", "about the same", "about the same"),
    ],
)
def test_a_student_that_costs_more_is_called_that(
    tmp_path: Path, teacher_cost: float, label: str, value: str, cell: str
) -> None:
    options = make_decision().options
    teacher = options.teacher.model_copy(update={"cost_usd_per_1k": teacher_cost})
    report = report_of(tmp_path / "run", options=options.model_copy(update={"teacher": teacher}))
    (tile,) = [tile for tile in build_page(report, provenance=own_page(report)).tiles if "teacher" in tile.label]
    assert (tile.label, tile.value) == (label, value)
    distilled = dict(build_page(report, provenance=own_page(report)).comparison.rows)["Cost per 1,000 requests"][2]
    assert distilled.detail == cell


def test_a_teacher_that_cannot_serve_is_compared_with_nobody(tmp_path: Path) -> None:
    options = make_decision().options
    teacher = options.teacher.model_copy(update={"cost_usd_per_1k": float("inf")})
    report = report_of(tmp_path / "run", options=options.model_copy(update={"teacher": teacher}))
    assert len(build_page(report, provenance=own_page(report)).tiles) == 3
    assert "inf×" not in render_html(report)
