"""The benchmark of start-up and memory runs at a tiny size and prints its table; its figures are nobody's business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "bench_data.py"


@pytest.mark.slow
def test_start_ups_are_tabled_by_count_and_way():
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--counts", "160,320", "--size", "16"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:3] == ["images", "way", "images, times"]
    assert [row[:3] for row in cells[2:]] == [
        ["160", "resident", "1.000"],
        ["160", "streaming", "1.000"],
        ["320", "resident", "2.000"],
        ["320", "streaming", "2.000"],
    ]
    assert all(float(cell) >= 0 for row in cells[2:] for cell in row[2:])
