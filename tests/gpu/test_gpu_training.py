"""Trainings on a GPU: in every precision, resumed, compiled, and each on its own device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autokd.data.task import TaskData
from autokd.memory import free_memory
from autokd.precision import Precision, precision_of
from autokd.records import EpochReport, Recipe
from autokd.training.compile_and_timing import CONTEXT, bytes_of_training
from autokd.training.device import autocast, leave_device
from autokd.training.loop import Training, train
from autokd.training.side_by_side import Workload, run_side_by_side
from autokd.tune.worker import TrainingFactory
from autokd.zoo.build import build, normalisation


def training(data: TaskData, device: str, path: Path | None = None, **changes: object) -> Training:
    """Of a student that learns the patterns within eight epochs."""
    torch.manual_seed(0)
    model = build("test_resnet", 3, 32)
    made = {
        "data": data,
        "model": model,
        "normalisation": normalisation(model),
        "recipe": Recipe(learning_rate=3e-3, epochs=8, batch_size=30, ema=0.5),
        "seed": 0,
        "views_seed": 3,
        "device": device,
        "checkpoint": path,
    }
    return Training(**{**made, **changes})  # type: ignore[arg-type]


def agree(ours: list[EpochReport], theirs: list[EpochReport], tolerance: float) -> None:
    assert [report.epoch for report in ours] == [report.epoch for report in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=tolerance, abs=tolerance)
        assert one.learning_rate == other.learning_rate


def test_decoded_images_lie_on_the_device(data: TaskData, device: str) -> None:
    images = data.images.take(data.train[:5])
    assert images.device.type == device
    assert images.dtype == torch.uint8
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        assert before >= 150 * 3 * 32 * 32  # all of them


@pytest.mark.parametrize("precision", ["bf16", "fp16", "fp32"])
def test_a_training_learns_and_resumes(data: TaskData, device: str, tmp_path: Path, precision: Precision) -> None:
    whole = list(train(training(data, device, precision=precision)))
    assert whole[-1].train_loss < 0.8 * whole[0].train_loss
    path = tmp_path / "checkpoint.pt"
    first = train(training(data, device, path, precision=precision))
    for _ in range(4):
        next(first)
    first.close()
    scaler = torch.load(path)["scaler"]
    assert (scaler is not None) is (precision == "fp16")
    agree(list(train(training(data, device, path, precision=precision))), whole, 0.05)


def test_the_fastest_convolutions_learn_as_well(data: TaskData, device: str) -> None:
    reports = list(train(training(data, device, deterministic=False)))
    assert reports[-1].train_loss < 0.8 * reports[0].train_loss


def test_a_compiled_training_is_the_eager_one(data: TaskData, device: str) -> None:
    recipe = Recipe(learning_rate=1e-3, epochs=2, batch_size=30)
    student = {"recipe": recipe, "precision": "fp32"}
    runs = []
    for compiled in (False, True):
        torch.manual_seed(1)
        model = build("test_vit", 3, 32)
        made = training(data, device, model=model, normalisation=normalisation(model), compiled=compiled, **student)
        runs.append(list(train(made)))
    agree(*runs, 0.05)


def test_autocast_computes_in_the_precision_of_the_gpu(half: str, device: str) -> None:
    assert precision_of(device) == half
    with autocast(device):
        product = torch.ones(2, 2, device=device) @ torch.ones(2, 2, device=device)
    assert product.dtype == {"bf16": torch.bfloat16, "fp16": torch.float16}[half]


# ---- devices and memory -----------------------------------------------------------------------------------------


def test_a_worker_takes_its_own_gpu(task_folder: Path, only_cuda: None) -> None:
    last = torch.cuda.device_count() - 1
    try:
        TrainingFactory(task_folder, None, 3, "cuda", loader_workers=0)(last, last + 1)
        assert torch.cuda.current_device() == last
        assert torch.zeros(1, device="cuda").device.index == last
    finally:
        torch.cuda.set_device(0)


def test_a_model_that_leaves_gives_its_memory_back(only_cuda: None) -> None:
    free_memory()
    before = torch.cuda.memory_reserved()
    model = build("resnet18", 10, 32).to("cuda")
    assert torch.cuda.memory_reserved() >= before + 40_000_000
    leave_device(model)
    assert torch.cuda.memory_reserved() <= before + 2_000_000


def test_the_memory_of_a_training_is_measured(only_cuda: None) -> None:
    small, large = (bytes_of_training(build("resnet18", 3, 32), 32, batch, "cuda") for batch in (4, 512))
    assert CONTEXT < small < large


def test_two_trainings_share_a_device(device: str) -> None:
    found = run_side_by_side(Workload("test_resnet", 3, 32, 16, device), [1, 2], seconds=0.5)
    assert set(found) == {1, 2}
    assert min(found.values()) > 0
