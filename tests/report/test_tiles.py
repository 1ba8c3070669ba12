"""The figures in large type, and the cost beside the teacher's wherever it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision
from test_page import report_of

from autokd.records import AtStake, Report
from autokd.report.html import render_html
from autokd.report.page import Tile, build_page
from autokd.report.sections.provenance import own_page


def tiles(report: Report) -> dict[str, Tile]:
    return {tile.label: tile for tile in build_page(report, provenance=own_page(report)).tiles}


@pytest.mark.parametrize(
    ("teacher_cost", "label", "value", "detail", "cell"),
    [
        (0.00138, "Saves", "$2.43", "a month at 2\u00a0M requests, 8.4\u00d7 lower", "8.4\u00d7 lower"),
        (0.000082, "Costs more", "$0.164", "a month at 2\u00a0M requests, 2.0\u00d7 higher", "2.0\u00d7 higher"),
        (0.00018, "Saves", "$0.032", "a month at 2\u00a0M requests", "about the same"),
    ],
)
def test_a_student_that_costs_more_is_called_that(
    tmp_path: Path, teacher_cost: float, label: str, value: str, detail: str, cell: str
) -> None:
    options = make_decision().options
    teacher = options.teacher.model_copy(update={"cost_usd_per_1k": teacher_cost})
    report = report_of(tmp_path / "run", options=options.model_copy(update={"teacher": teacher}))
    tile = tiles(report)[label]
    assert (tile.value, tile.detail) == (value, detail)
    distilled = dict(build_page(report, provenance=own_page(report)).comparison.rows)["Costs per 1,000 requests"][2]
    assert distilled.detail == cell


def test_how_sure_it_is_are_two_numbers(tmp_path: Path) -> None:
    found = tiles(report_of(tmp_path / "a"))
    assert found["Repeats that would say the same"].value == "87 of 100"
    assert found["At stake at most"].value == "0.60\u00a0points"
    both = AtStake(points=0.01, usd_per_1k=0.001, usd_per_month=2.0)
    assert (
        tiles(report_of(tmp_path / "b", at_stake=both))["At stake at most"].value == "1.00\u00a0points or $2.00 a month"
    )
    nothing = AtStake(points=0.0, usd_per_1k=0.0)
    assert tiles(report_of(tmp_path / "c", at_stake=nothing))["At stake at most"].value == "nothing"


def test_a_kept_teacher_saves_nothing(tmp_path: Path) -> None:
    assert len(tiles(report_of(tmp_path / "run", "keep_teacher"))) == 2


def test_a_teacher_that_cannot_serve_is_compared_with_nobody(tmp_path: Path) -> None:
    options = make_decision().options
    teacher = options.teacher.model_copy(update={"cost_usd_per_1k": float("inf")})
    report = report_of(tmp_path / "run", options=options.model_copy(update={"teacher": teacher}))
    assert len(tiles(report)) == 3
    assert "inf\u00d7" not in render_html(report)
