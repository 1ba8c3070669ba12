"""How many trainings run at a time, and which part of a GPU each has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers_images import Recorder, small_task

from autokd.config import SearchConfig
from autokd.errors import ConfigError
from autokd.pipeline.services import Parts, Prepared
from autokd.pipeline.workers import (
    device_count,
    gpu_share,
    gpus_of_training,
    is_measured,
    measured_placement,
    most_workers,
    placed_by,
    worker_count,
)
from autokd.records import Candidate, Interval, Reading

GB = 10**9
TASK = small_task().task


def config(**settings: Any) -> SearchConfig:
    sizes = {"trials": 8, "epochs": 100, "finalists": 2, "seeds": 3, "batch_size": 64}
    return SearchConfig.of(**{"teacher": "resnet18", "max_cost": 1, **sizes, **settings})


def student(name: str, cost: float) -> Candidate:
    dollars = Interval(mean=cost, low=cost, high=cost)
    reading = Reading(
        model=name, capacity_rps=None, latency_ms=None, cost_usd_per_1k=dollars, noisy=False, batch_size=None, rounds=0
    )
    return Candidate(
        student=name, family="f", parameters=1, ratio=9.0, macs=int(cost), arms=("distill",), reading=reading
    )


STUDENTS = [student("lcnet_050", 2.0), student("test_resnet", 1.0), student("resnet18", 3.0)]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Two GPUs on which a step takes 10 ms and two trainings do twice the work; returns what was run side by side."""
    run: list[Any] = []

    def side_by_side(workload: Any, counts: list[int]) -> dict[int, float]:
        run.append((workload, counts))
        return {count: 10.0 * min(count, 2) for count in counts}

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (16 * GB, 16 * GB))
    monkeypatch.setattr("autokd.machine.usable_cores", lambda: 16)
    monkeypatch.setattr("autokd.machine.available_memory", lambda: 64 * GB)
    monkeypatch.setattr("autokd.machine.own_memory", lambda: GB)
    monkeypatch.setattr("autokd.training.side_by_side.run_side_by_side", side_by_side)
    monkeypatch.setattr("autokd.training.compile_and_timing.training_seconds_per_image", lambda *_: 0.01)
    monkeypatch.setattr("autokd.training.compile_and_timing._step_times", lambda *_: [0.01] * 4)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: None)
    monkeypatch.setattr("torch.cuda.reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda device: GB)
    return run


@pytest.mark.parametrize(
    ("settings", "workers", "share", "devices"),
    [
        ({}, 2, 1.0, 2),
        ({"workers": 4}, 4, 0.5, 2),
        ({"workers": 1}, 1, 1.0, 1),
        ({"gpus_per_trial": 0.5}, 4, 0.5, 2),
        ({"device": "cuda:1"}, 1, 1.0, 1),
        ({"device": "cuda:1", "workers": 2}, 2, 0.5, 1),
        ({"device": "cuda:1", "gpus_per_trial": 0.25}, 4, 0.25, 1),
        ({"device": "cpu"}, 1, None, 1),
    ],
)
def test_workers_and_their_shares_of_two_gpus(
    gpus: list[Any], settings: dict[str, Any], workers: int, share: float | None, devices: int
) -> None:
    asked = config(**settings)
    assert worker_count(asked) == workers
    assert share is None or gpu_share(asked) == share
    assert device_count(asked) == devices


def test_a_training_on_a_gpu_needs_one(gpus: list[Any]) -> None:
    with pytest.raises(ConfigError, match="without a GPU"):
        gpus_of_training(config(gpus_per_trial=0))


@pytest.mark.parametrize(
    ("settings", "measured"),
    [
        ({}, True),
        ({"engine": "ray"}, True),
        ({"engine": "ray", "ray_address": "auto"}, False),
        ({"workers": 1}, False),
        ({"gpus_per_trial": 1.0}, False),
        ({"device": "cpu"}, True),
        ({"device": "cpu", "engine": "ray"}, False),
    ],
)
def test_what_is_asked_for_is_not_measured(gpus: list[Any], settings: dict[str, Any], measured: bool) -> None:
    asked = config(**settings)
    assert is_measured(asked) is measured
    if not measured:
        assert most_workers(asked) == worker_count(asked)
    else:
        assert most_workers(asked) == (torch.get_num_threads() if asked.device == "cpu" else 8)


def test_a_middling_student_decides_how_many_share_a_gpu(gpus: list[Any]) -> None:
    asked, hearing = config(), Recorder()
    prepared: Any = Prepared(TASK, None, None, {})  # type: ignore[arg-type]
    placed = Parts(is_program=True).placed(asked, prepared, STUDENTS, hearing)
    assert placed.workers == 4
    assert (gpu_share(placed), device_count(placed)) == (0.5, 2)
    assert hearing.notes == [
        "2 trainings run at a time on each of the 2 GPUs: that does 2.0 times the work of one (measured)."
    ]
    ((workload, counts),) = gpus
    assert workload == ("lcnet_050", 3, 32, 60, "cuda")
    assert counts == [1, 2, 4]


def test_ray_is_told_the_part_of_a_gpu(gpus: list[Any]) -> None:
    asked = config(engine="ray")
    found = measured_placement(asked, TASK, STUDENTS)
    assert found is not None
    placed = placed_by(asked, found)
    assert (placed.gpus_per_trial, worker_count(placed), gpus_of_training(placed)) == (0.5, 4, 0.5)


def test_from_python_and_without_candidates_nothing_is_measured(gpus: list[Any]) -> None:
    asked, prepared = config(), Prepared(TASK, None, None, {})  # type: ignore[arg-type]
    assert Parts().placed(asked, prepared, STUDENTS, Recorder()) is asked
    assert Parts(is_program=True).placed(asked, prepared, [], Recorder()) is asked
    assert gpus == []


def test_short_searches_few_cores_and_full_gpus_are_not_packed(
    gpus: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = measured_placement(config(epochs=2), TASK, STUDENTS)
    assert short is not None and (short.workers, gpus) == (2, [])
    assert short.reason == "One training at a time runs on each of the 2 GPUs: trainings are short."

    monkeypatch.setattr("autokd.machine.usable_cores", lambda: 4)
    few = measured_placement(config(), TASK, STUDENTS)
    assert few is not None and few.workers == 4 and gpus.pop()[1] == [1, 2]

    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (2 * GB, 16 * GB))
    full = measured_placement(config(), TASK, STUDENTS)
    assert full is not None and full.workers == 2 and gpus.pop()

    def no_room(*_: Any) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("autokd.training.compile_and_timing.training_seconds_per_image", no_room)
    alone = measured_placement(config(), TASK, STUDENTS)
    assert alone is not None and (alone.workers, gpus) == (2, [])
    assert alone.reason.endswith("a batch takes all of the memory.")
