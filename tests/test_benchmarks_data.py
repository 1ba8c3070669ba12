"""The benchmark of start-up and memory runs at a tiny size and prints its table; its figures are nobody's business."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "bench_data.py"


@pytest.mark.slow
def test_start_ups_are_tabled_by_count_and_way(monkeypatch, capsys):
    """The first start-up is in a process of its own, as all of them are elsewhere; the others need not be here."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    script, started = runpy.run_path(str(SCRIPT)), []
    start = subprocess.check_output

    def answer(command, **options):
        if command[:2] != [sys.executable, str(SCRIPT)]:
            return start(command, **options)
        started.append(command)
        if len(started) == 1:
            return start(command)
        script["main"](command[2:])
        return capsys.readouterr().out

    monkeypatch.setattr(subprocess, "check_output", answer)
    script["main"](["--counts", "160,320", "--size", "16"])
    assert len(started) == 2 * 2 * 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0][:3] == ["images", "way", "images, times"]
    assert [row[:3] for row in cells[2:]] == [
        ["160", "resident", "1.000"],
        ["160", "streaming", "1.000"],
        ["320", "resident", "2.000"],
        ["320", "streaming", "2.000"],
    ]
    assert all(float(cell) >= 0 for row in cells[2:] for cell in row[2:])
