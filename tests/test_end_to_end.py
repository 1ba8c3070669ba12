"""Real searches on real images with tiny models: data, teacher, soft labels, trainings, verdict, student."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from fakes import Hearing
from PIL import Image

import autokd
from autokd.cli import main
from autokd.config import default_cache_dir
from autokd.data.task import open_task
from autokd.data.views import clean_view
from autokd.records import Task
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.runs.store import TEACHER
from autokd.training.evaluate import accuracy

pytestmark = pytest.mark.slow


def flags(output: Path, **settings: Any) -> list[str]:
    """A search as a command line."""
    settings["output"] = output
    return ["search", *(part for key, value in settings.items() for part in ("--" + key.replace("_", "-"), str(value)))]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "autokd", *arguments]


def called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command in this process."""
    monkeypatch.setattr(sys, "argv", ["autokd", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    captured = capsys.readouterr()
    return int(exit_.value.code or 0), captured.out, captured.err


@pytest.fixture
def picture_folder(tmp_path: Path) -> Path:
    """train/ and test/ of three classes that differ by colour and by where the bright square is."""
    generator = np.random.default_rng(0)
    root = tmp_path / "pictures"
    for part, count in (("train", 60), ("test", 20)):
        for label, name in enumerate(["1", "2", "10"]):
            folder = root / part / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 90, (28, 28, 3), dtype=np.uint8)
                pixels[8 * label : 8 * label + 8, 4:24, label] = 230
                image = Image.fromarray(pixels)
                image.save(folder / f"{i:03d}.{'png' if i % 2 else 'jpg'}")
    return root


def test_a_search_on_the_digits_and_its_student(space_file: Path, tmp_path: Path) -> None:
    hearing = Hearing()
    settings: dict[str, Any] = {
        "teacher": "resnet10t",
        "max_cost": 1.0,
        "trials": 4,
        "epochs": 2,
        "seeds": 2,
        "finalists": 1,
        "teacher_epochs": 2,
        "min_retention": 0.05,
        "space": str(space_file),
    }
    result = autokd.search(**settings, output=tmp_path / "run", listener=hearing)
    assert result.verdict in {"distill", "use_small_model", "keep_teacher"}
    assert result.report.task["data"] == "digits"
    states = {trial.state for trial in result.trials.itertuples()}
    assert states <= {"complete", "pruned"}
    for stage in ("search", "confirmation"):
        left = [tally.seconds_left for tally in hearing.tallies if tally.stage == stage]
        assert all(seconds is not None for seconds in left[2:]), "no time left once an epoch has been timed"
    assert not list(result.path.glob("**/checkpoint.pt")), "checkpoints are left"
    if result.verdict in {"distill", "use_small_model"}:
        check_student(result)

    cheaper = UpTo("Screening")
    settings |= {"max_cost": 0.5, "cost_model": "params"}
    with pytest.raises(Enough):
        autokd.search(**settings, output=tmp_path / "again", listener=cheaper)
    told = " ".join(cheaper.notes)
    assert "Reusing the teacher" in told
    assert "Reusing the soft labels" in told
    assert TEACHER.read(tmp_path / "again").fingerprint == result.report.teacher.fingerprint
    assert Run(tmp_path / "again").manifest.stages["teacher"] == 0


class Enough(Exception):
    """What a test looks at is there."""


class UpTo(Hearing):
    """Ends a search where this stage begins."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._last = stage

    def stage(self, title: str) -> None:
        if title == self._last:
            raise Enough


def check_student(result: SearchResult) -> None:
    """The exported student gives the logits that were judged, through timm's own preprocessing constants."""
    import timm

    stored = json.loads((result.path / "task.json").read_text())
    data = open_task(default_cache_dir() / "tasks" / Task.model_validate(stored).fingerprint)
    student = result.student()
    config = timm.data.resolve_model_data_config(student)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    images = clean_view(data.images.take(data.test), data.task.transform)
    with torch.inference_mode():
        logits = student((images - mean) / std)
    assert result.report.student_test_accuracy == pytest.approx(accuracy(logits, data.labels[data.test]), abs=0.005)


def test_an_image_folder_with_a_corrupt_file(
    picture_folder: Path,
    quick: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = picture_folder / "train" / "2" / "bad.png"
    bad.write_bytes((picture_folder / "train" / "2" / "001.png").read_bytes()[:100])
    quick |= {"data": picture_folder, "min_retention": 0.3}
    del quick["image_size"]
    arguments = flags(tmp_path / "run", **quick)
    code, _, errors = called(capsys, monkeypatch, *arguments)
    assert code == 2
    assert "bad.png" in errors
    assert "--on-corrupt skip" in errors
    assert not (tmp_path / "run").exists()
    code, output, errors = called(capsys, monkeypatch, *arguments, "--on-corrupt", "skip", "--json")
    assert code == 0, errors
    report = json.loads(output)
    assert report["task"]["classes"] == ["1", "2", "10"]
    assert (report["task"]["train"] + report["task"]["val"], report["task"]["test"]) == (180, 60)
    assert "bad.png" in report["task"]["skipped"][0]


def test_kill_9_in_the_middle_then_resume(quick: dict[str, Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    quick |= {"trials": 4}
    process = subprocess.Popen(command(*flags(run, **quick)), stderr=subprocess.DEVNULL, env=dict(os.environ))
    deadline = time.monotonic() + 240
    while not (run / "trials" / "1" / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "report.json").exists()
    before = (run / "trials" / "0" / "history.csv").stat().st_mtime_ns
    result = autokd.search(**quick, output=run, resume=True)
    assert (run / "trials" / "0" / "history.csv").stat().st_mtime_ns == before, "a finished trial was trained again"
    assert sorted(result.trials["number"]) == [0, 1, 2, 3]
    with pytest.raises(Enough):
        autokd.search(**quick, output=tmp_path / "whole", listener=UpTo("Confirmation"))
    whole = tmp_path / "whole"
    columns = ["number", "arm", "student", "temperature", "alpha", "learning_rate", "val_accuracy"]
    assert result.trials.iloc[:2][columns].equals(pd.read_csv(whole / "trials.csv").iloc[:2][columns])
    for number in ("0", "1"):
        one, other = (pd.read_csv(root / "trials" / number / "history.csv") for root in (run, whole))
        assert one.drop(columns="seconds").equals(other.drop(columns="seconds"))


@pytest.mark.ray
def test_ray_ends_with_the_same_kind_of_folder_and_resumes(
    quick: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    arguments = flags(run, **quick, engine="ray", workers=2)
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = autokd.load_run(run)
    assert result.trials["arm"].value_counts().to_dict() == {"distill": 1, "direct": 1}
    assert all(f.accuracy.seeds == 2 for f in result.report.finalists)
    arguments = ["search", "--resume", "--output", str(run), "--engine", "local"]
    code, _, errors = called(capsys, monkeypatch, *arguments)
    assert code == 0, errors
    assert autokd.load_run(run).report.finalists == result.report.finalists
