"""The energy of a GPU stands in the comparison where it was measured, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from test_page import report_of

from autokd.report.sections.comparison import ENERGY, comparison


def test_energy_is_a_row_where_any_option_has_it(tmp_path: Path) -> None:
    report = report_of(tmp_path / "run")
    assert ENERGY not in dict(comparison(report).rows)
    teacher = report.options.teacher.model_copy(update={"energy_wh_per_1k": 0.2537})
    measured = report.model_copy(update={"options": report.options.model_copy(update={"teacher": teacher})})
    cells = dict(comparison(measured).rows)[ENERGY]
    assert (cells[0].value, cells[0].detail) == ("0.25 Wh", "of the GPU, in full batches")
    assert {cell.value for cell in cells[1:]} == {"\u2013"}
