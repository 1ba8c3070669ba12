"""docs/run-folder.md explains every column of every table, in its order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from autokd.runs.options_table import OPTION_COLUMNS
from autokd.runs.tables import FINALIST_COLUMNS, HISTORY_COLUMNS, SCREENING_COLUMNS, TRIAL_COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "run-folder.md"


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("options", OPTION_COLUMNS),
        ("trials", TRIAL_COLUMNS),
        ("screening", SCREENING_COLUMNS),
        ("finalists", FINALIST_COLUMNS),
        ("history", HISTORY_COLUMNS),
    ],
)
def test_every_column_is_documented_in_its_order(table: str, columns: Sequence[str]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {table}.csv\n")[2].partition("\n#")[0]
    first_cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(first_cells)) == list(columns)
