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
import pytest
import torch
from fakes import Hearing
from PIL import Image

import autokd
from autokd.config import default_cache_dir
from autokd.data.task import open_task
from autokd.data.views import clean_view
from autokd.records import Task
from autokd.result import SearchResult
from autokd.training.evaluate import accuracy

pytestmark = pytest.mark.slow

QUICK: dict[str, Any] = {
    "teacher": "resnet10t",
    "max_cost": 1.0,
    "trials": 4,
    "epochs": 2,
    "seeds": 2,
    "finalists": 1,
    "teacher_epochs": 4,
    "min_retention": 0.05,  # so that even these students are good enough to be recommended
}


def quick_search(space: Path, output: Path, **options: Any) -> SearchResult:
    return autokd.search(**{**QUICK, "space": str(space), "output": output, **options})


def flags(space: Path, output: Path, **options: Any) -> list[str]:
    """The same search as a command."""
    settings = {**QUICK, "space": space, "output": output, **options}
    return [part for key, value in settings.items() for part in ("--" + key.replace("_", "-"), str(value))]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "autokd", *arguments]


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
    result = quick_search(space_file, tmp_path / "run", listener=hearing)
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

    cheaper = Hearing()
    again = quick_search(space_file, tmp_path / "again", listener=cheaper, max_cost=0.5)
    told = " ".join(cheaper.notes)
    assert "Reusing the teacher" in told
    assert "Reusing the soft labels" in told
    assert again.report.teacher.fingerprint == result.report.teacher.fingerprint
    assert again.report.search.stages["teacher"] == 0


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
    picture_folder: Path, space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = picture_folder / "train" / "2" / "bad.png"
    bad.write_bytes((picture_folder / "train" / "2" / "001.png").read_bytes()[:100])
    arguments = flags(space_file, tmp_path / "run", data=picture_folder, teacher_weights="scratch", min_retention=0.3)
    refused = subprocess.run(command("search", *arguments), capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "bad.png" in refused.stderr
    assert "--on-corrupt skip" in refused.stderr
    assert not (tmp_path / "run").exists()
    skipped = subprocess.run(
        command("search", *arguments, "--on-corrupt", "skip", "--json"), capture_output=True, text=True, check=False
    )
    assert skipped.returncode == 0, skipped.stderr
    report = json.loads(skipped.stdout)
    assert report["task"]["classes"] == ["1", "2", "10"]
    assert (report["task"]["train"] + report["task"]["val"], report["task"]["test"]) == (180, 60)
    assert "bad.png" in report["task"]["skipped"][0]


def test_kill_9_in_the_middle_then_resume(space_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = flags(space_file, run)
    process = subprocess.Popen(command("search", *arguments), stderr=subprocess.DEVNULL, env=dict(os.environ))
    deadline = time.monotonic() + 240
    while not (run / "trials" / "1" / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (run / "report.json").exists()
    before = (run / "trials" / "0" / "history.csv").stat().st_mtime_ns
    result = quick_search(space_file, run, resume=True)
    assert (run / "trials" / "0" / "history.csv").stat().st_mtime_ns == before, "a finished trial was trained again"
    assert sorted(result.trials["number"]) == [0, 1, 2, 3]
    whole = quick_search(space_file, tmp_path / "whole")
    columns = ["number", "arm", "student", "temperature", "alpha", "learning_rate"]
    assert result.trials.iloc[:2][columns].equals(whole.trials.iloc[:2][columns])
    assert result.trials.iloc[:2]["val_accuracy"].equals(whole.trials.iloc[:2]["val_accuracy"])


@pytest.mark.ray
def test_ray_ends_with_the_same_kind_of_folder_and_resumes(space_file: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = flags(space_file, run, engine="ray", workers=2)
    done = subprocess.run(command("search", *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = autokd.load_run(run)
    assert result.trials["arm"].value_counts().to_dict() == {"distill": 2, "direct": 2}
    assert all(f.accuracy.seeds == 2 for f in result.report.finalists)
    again = subprocess.run(
        command("search", "--resume", "--output", str(run), "--engine", "local"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert autokd.load_run(run).report.finalists == result.report.finalists
