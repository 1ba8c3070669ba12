"""Training times before anything is trained."""

from __future__ import annotations

import pytest
import torch

from autokd.config import SearchConfig
from autokd.pipeline import timing
from autokd.records import Candidate, Interval, Reading, Task, Transform

TASK = Task(
    data="made up", fingerprint="", classes=("a", "b"), train=300, val=90, test=1, split_note="", test_is_separate=True,
    transform=Transform(image_size=32, crop="padded", flip=False),
)  # fmt: skip


def candidate(student: str, cost: float) -> Candidate:
    usd = Interval(mean=cost, low=cost, high=cost)
    reading = Reading(
        model=student, capacity_rps=1, latency_ms=None, cost_usd_per_1k=usd, noisy=False, batch_size=8, rounds=3
    )
    sizes = {"family": "f", "parameters": 10, "ratio": 10.0, "macs": 5}
    return Candidate(student=student, arms=("direct",), reading=reading, **sizes)


@pytest.fixture
def config() -> SearchConfig:
    return SearchConfig.of(teacher="resnet18", max_cost=1.0, device="cpu", batch_size=4)


def test_some_are_timed_and_the_others_lie_between_them(config: SearchConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = iter([1.0, 2.0, 4.0])
    monkeypatch.setattr(timing, "_timed", lambda *_: next(steps))
    students = [candidate("test_resnet", 1.0 + i) for i in range(5)]
    named = [student.model_copy(update={"student": f"{student.student}.{i}"}) for i, student in enumerate(students)]
    monkeypatch.setattr("autokd.zoo.build.build", lambda *_: None)
    assert [*timing.student_step_seconds(config, TASK, named).values()] == [1.0, 1.5, 2.0, 3.0, 4.0]
    assert timing.student_step_seconds(config, TASK, []) == {}


def test_a_worker_has_its_part_of_the_threads_and_of_the_seconds(
    config: SearchConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    monkeypatch.setattr(timing, "_timed", lambda *_: 0.01)
    two = config.model_copy(update={"workers": 2})
    assert timing.epoch_seconds(two, TASK, [candidate("test_resnet", 1.0)]) == {
        "test_resnet": pytest.approx(0.01 * (300 + 30) / 2)
    }
    assert seen == [2, 4]
