"""How long trainings take: estimated, then seen."""

from __future__ import annotations

import pytest

from autokd.tune.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def train(pace: Pace, clock: Clock, student: str, epochs: int, seconds: float, besides: float = 0.0) -> None:
    pace.begin(student, student, epochs)
    for _ in range(epochs):
        clock.now += seconds
        pace.epoch(student, seconds)
    clock.now += besides
    pace.end(student, whole=True)


def test_before_anything_is_seen_the_estimate_holds() -> None:
    pace = Pace({"a": 1.0, "b": 3.0})
    assert (pace.training("a", 10), pace.training("b", 10)) == (10, 30)
    assert pace.training("unknown", 10) == 20
    assert pace.mean_training(["a", "b"], 10) == 20
    assert pace.typical_training(["a", "a", "b"], 10) == 10
    assert pace.start_up == 0


def test_what_is_seen_of_some_corrects_the_estimate_of_others() -> None:
    clock = Clock()
    pace = Pace({"a": 1.0, "b": 3.0}, clock=clock)
    train(pace, clock, "a", 4, 2.0)
    assert pace.training("a", 10) == 20
    assert pace.training("b", 10) == pytest.approx(60)


def test_time_besides_the_epochs_counts_once_a_training() -> None:
    clock = Clock()
    pace = Pace({"a": 1.0}, workers=2, clock=clock)
    for besides in (9.0, 0.5, 0.5):  # the first one waited for its worker to start
        train(pace, clock, "a", 4, 1.0, besides)
    assert pace.training("a", 10) == 10.5
    assert pace.start_up == 8.5


def test_workers_that_share_a_device_take_longer_each() -> None:
    clock = Clock()
    pace = Pace({"a": 1.0}, workers=2, stretch=2.0, clock=clock)
    assert pace.training("a", 10) == 20
    pace.begin("key", "a", 10)
    clock.now += 3.0
    pace.epoch("key", 1.5)  # device seconds
    assert pace.training("a", 10) == 30
    assert pace.busy() == [27]
