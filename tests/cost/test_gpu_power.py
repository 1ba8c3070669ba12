"""Power and clock while a model answers, told by a driver that is made up here."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from autokd.cost import gpu_power as module
from autokd.cost.gpu_power import Drawn, clocks_remark, drawn


class Driver:
    """Draws 300 W and then 400 W; time passes only in passes of the model, 40 ms each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds, self.passes, self.looks = 0.0, 0, 0
        driver = self

        class Watch:
            def __init__(self) -> None:
                self.start = driver.seconds

            @property
            def seconds(self) -> float:
                return driver.seconds - self.start

        monkeypatch.setattr(module, "Stopwatch", Watch)
        monkeypatch.setattr(module.torch.cuda, "power_draw", self.power)
        monkeypatch.setattr(module.torch.cuda, "clock_rate", lambda _: 1_500)

    def power(self, device: str) -> int:
        assert device == "cuda:1"
        self.looks += 1
        return 300_000 if self.seconds < module.SETTLING else 400_000  # milliwatts

    def run(self) -> None:
        self.passes += 1
        self.seconds += 0.04


def test_power_is_that_of_a_model_in_full_swing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the sensors remember of the time before does not count."""
    driver = Driver(monkeypatch)
    assert drawn(driver.run, "cuda:1") == Drawn(watts=400.0, clock_mhz=1_500.0)
    assert driver.seconds == pytest.approx(module.SECONDS, abs=0.2)


def test_a_long_pass_is_looked_at_a_few_times_too(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch)

    def long_pass() -> None:
        driver.seconds += 1.5

    assert drawn(long_pass, "cuda:1") == Drawn(watts=400.0, clock_mhz=1_500.0)
    assert driver.looks == 1 + module.FEWEST


@pytest.mark.parametrize("fails_at", [1, 4])
def test_a_driver_that_does_not_tell_costs_nothing_but_the_figure(
    fails_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Driver(monkeypatch)
    calls: Iterator[int] = count(1)

    def forbidden(_: str) -> int:
        if next(calls) == fails_at:
            raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")
        return 100_000

    monkeypatch.setattr(module.torch.cuda, "power_draw", forbidden)
    assert drawn(driver.run, "cuda:1") is None
    assert fails_at > 1 or driver.passes == 0


def test_a_processor_has_no_such_sensor() -> None:
    assert drawn(lambda: None, "cpu") is None


def test_energy_is_power_times_the_seconds_of_a_thousand_requests() -> None:
    assert Drawn(watts=360.0, clock_mhz=1.0).wh_per_1k(images_per_second=1_000) == pytest.approx(0.1)


def test_a_clock_that_moves_between_models_is_said() -> None:
    assert clocks_remark([]) is None
    assert clocks_remark([1_500, 1_560]) is None
    assert clocks_remark([1_980, 1_410]) == (
        "The GPU ran at 1,410 to 1,980 MHz for different models, which is in their costs; "
        "`nvidia-smi --lock-gpu-clocks` keeps it still."
    )
