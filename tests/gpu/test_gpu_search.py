"""All parts of a search on a GPU, then a whole one with two trainings that share it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers_teachers import tiny_teacher

import autokd
from autokd.cost.measure import measure
from autokd.cost.pricing import cost_model_for
from autokd.data.task import TaskData
from autokd.data.views import make_view
from autokd.pipeline.doctor import examine
from autokd.pipeline.smoke import smoke
from autokd.progress import Silent
from autokd.soft_labels.live_teacher import RunningTeacher
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.verify import TOLERANCES
from autokd.soft_labels.write import write_soft_labels
from autokd.zoo.build import build


def test_all_that_a_search_does_in_either_precision(half: str, device: str, tmp_path: Path) -> None:
    found = list(smoke(f"{device}:0", tmp_path))
    assert len(found) == 4
    assert all(check.ok for check in found), found
    assert half in found[0].text


def test_the_doctor_sees_the_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, only_cuda: None) -> None:
    monkeypatch.setattr("autokd.pipeline.smoke.smoke", lambda device, folder: [])
    (gpu,) = (check for check in examine(tmp_path) if check.name == "cuda:0")
    assert gpu.ok and torch.cuda.get_device_name(0) in gpu.text


def test_stored_soft_labels_are_what_a_live_teacher_says(
    half: str, device: str, data: TaskData, tmp_path: Path
) -> None:
    teacher = tiny_teacher()
    labels = write_soft_labels(teacher, data, 2, 5, tmp_path, device, Silent())
    assert (labels.views, labels.reused) == (2, 0)
    again = write_soft_labels(teacher, data, 2, 5, tmp_path, device, Silent())
    assert (again.reused, again.folder) == (2, labels.folder)
    positions = np.array([5, 3, 60])
    indices = data.train[positions]
    images = make_view(data.images.take(indices), indices, data.task.transform, 5, 1)
    stored = SoftLabels(Path(labels.folder), 2, device).logits(1, positions, images)
    live = RunningTeacher(teacher.model, teacher.normalisation, device).logits(1, positions, images)
    assert stored.device.type == live.device.type == device
    assert float((stored - live).abs().max() / live.float().std()) < TOLERANCES[half]


@pytest.mark.parametrize("runtime", ["eager", "compile"])
def test_cost_in_either_runtime(runtime: str, device: str) -> None:
    config = autokd.SearchConfig.of(
        teacher="test_resnet", max_cost=1, price_per_hour=1, device=device, serve_runtime=runtime, serve_batch_size=8
    )
    builders = {name: lambda name=name: build(name, 3, 32) for name in ("test_resnet", "test_vit")}
    found = measure(builders, "test_resnet", cost_model_for(config, 32), max_rounds=6)
    assert set(found) == set(builders)
    assert all(reading.capacity_rps and reading.capacity_rps > 0 for reading in found.values())


def test_a_whole_search_of_digits_with_two_trainings_on_one_gpu(device: str, tmp_path: Path, space_file: Path) -> None:
    result = autokd.search(
        teacher="resnet10t",
        max_cost=1.0,
        price_per_hour=1.0,
        data="digits",
        image_size=32,
        device=device,
        teacher_epochs=3,
        student_weights="scratch",
        space=str(space_file),
        trials=2,
        epochs=2,
        seeds=2,
        finalists=1,
        workers=2,
        min_retention=0.05,
        output=tmp_path / "run",
    )
    assert result.verdict
    trials = pd.read_csv(result.path / "trials.csv")
    assert set(trials["state"]) == {"complete"}
    finalists = pd.read_csv(result.path / "finalists.csv")
    assert (finalists["device_seconds"] > 0).all()
