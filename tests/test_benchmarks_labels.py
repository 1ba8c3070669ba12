"""The comparison of shares of labels at a tiny size: what it shares, resumes and prints."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield importlib.import_module("label_fraction")
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").parent == FOLDER:
            del sys.modules[name]


@pytest.mark.slow
def test_two_shares_with_one_teacher(
    script: ModuleType, space_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = f"--output {tmp_path / 'runs'} --shares 0.2 1 --train-images 150 --test-images 60 --teacher resnet10t"
    options = f"--space {space_file} --trials 2 --epochs 1 --seeds 2 --finalists 1 --teacher-epochs 3 --image-size 32"
    whole = [*arguments.split(), *options.split(), "--cost-model", "params", "--min-retention", "0.05"]
    rows = script.main(whole)
    first = capfd.readouterr()
    assert [row["labels"] for row in rows] == ["30 of 130", "130 of 130"]
    assert all(str(row["teacher"]).startswith("resnet10t ") for row in rows)
    assert all(str(row["gain, points"])[0] in "+-" for row in rows)
    assert first.out.count("\n| ") == 3
    assert "Reusing the teacher" in first.err
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"images", "labels-0.2", "labels-1"}

    assert script.main(whole) == rows
    assert capfd.readouterr().err == ""  # nothing was searched again


def test_what_the_script_sets_itself_is_refused(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        script.main(["--output", str(tmp_path), "--label-fraction", "0.5"])
    assert "--label-fraction is set for every search by this script" in capsys.readouterr().err


def test_a_search_that_fails_ends_the_script(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with exit code 2"):
        script.main(["--output", str(tmp_path), "--shares", "0.5", "--data", str(tmp_path / "nowhere")])
