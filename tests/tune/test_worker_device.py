"""Which device a worker takes, and what the controller has left on it by then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers_images import small_task
from helpers_teachers import tiny_teacher

from autokd.config import SearchConfig
from autokd.pipeline.services import Parts, Prepared
from autokd.progress import Silent
from autokd.records import SoftLabelSet
from autokd.tune import worker
from autokd.tune.worker import TrainingFactory


@pytest.mark.parametrize(
    ("asked", "slots", "devices"),
    [
        ("cuda", 3, ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", 1, ["cuda:0"]),  # Ray shows a training its own GPU only
        ("cuda:1", 2, ["cuda:1", "cuda:1"]),
        ("cpu", 1, ["cpu"]),
    ],
)
def test_a_worker_makes_its_gpu_the_current_one(
    monkeypatch: pytest.MonkeyPatch, asked: str, slots: int, devices: list[str]
) -> None:
    chosen: list[str] = []
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    monkeypatch.setattr(worker, "TrainingWorkshop", lambda factory, device, loaders, share: (device, [*chosen]))
    factory = TrainingFactory(Path(), None, 3, asked, loader_workers=0)
    made: list[Any] = [factory(slot, slots) for slot in range(slots)]
    assert [device for device, _ in made] == devices
    assert chosen == [device for device in devices if device != "cpu"]
    assert all(before[-1:] == [device] for device, before in made if device != "cpu")  # before anything is opened


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What left the device, in order."""
    left: list[str] = []
    monkeypatch.setattr("autokd.training.device.leave_device", lambda model: left.append("teacher"))
    monkeypatch.setattr("autokd.memory.free_memory", lambda: left.append("memory"))
    return left


def test_the_teacher_leaves_the_device_before_trainings_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: list[str]
) -> None:
    labels = SoftLabelSet(folder=str(tmp_path), views=0, wanted=2, reused=0, seconds=0, total_seconds=0)
    teacher, data = tiny_teacher(), small_task()
    monkeypatch.setattr("autokd.data.task.open_task", lambda *_: data)
    monkeypatch.setattr("autokd.soft_labels.write.write_soft_labels", lambda *_, **__: labels)
    config = SearchConfig.of(teacher="test_resnet", max_cost=1, epochs=2, device="cpu", cache_dir=tmp_path)
    prepared = Prepared(data.task, tmp_path, teacher.record, {}, teacher)
    parts = Parts()
    parts.factory(prepared, parts.soft_labels(prepared, config, Silent(), 0.0), config)
    assert left == ["teacher", "memory"]


def test_the_teacher_leaves_the_device_once_it_is_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, left: list[str]
) -> None:
    data = small_task()
    monkeypatch.setattr("autokd.data.task.prepare_task", lambda *_, **__: tmp_path)
    monkeypatch.setattr("autokd.data.task.cache_folders", lambda _: [])
    monkeypatch.setattr("autokd.data.task.open_task", lambda *_: data)
    monkeypatch.setattr("autokd.teacher.prepare.prepare_teacher", lambda *_: tiny_teacher())
    Parts().prepare(SearchConfig.of(teacher="test_resnet", max_cost=1, device="cpu", cache_dir=tmp_path), Silent())
    assert left == ["teacher"]
