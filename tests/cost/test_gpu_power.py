"""Power and clock while a model answers, told by a driver that is made up here."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count

import pytest
from helpers_images import Recorder

from autokd.config import SearchConfig
from autokd.cost import gpu_power as module
from autokd.cost import measure
from autokd.cost.gpu_power import Drawn, clocks_remark, drawn
from autokd.cost.pricing import cost_model_for
from autokd.zoo.build import build


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
    found = drawn(driver.run, 8, "cuda:1")
    assert found is not None
    assert (found.watts, found.clock_mhz) == (400.0, 1_500.0)
    assert found.images_per_second == pytest.approx(8 / 0.04)
    assert driver.seconds == pytest.approx(module.SECONDS, abs=0.2)


def test_a_long_pass_is_looked_at_a_few_times_too(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch)

    def long_pass() -> None:
        driver.seconds += 1.5

    assert drawn(long_pass, 30, "cuda:1") == Drawn(watts=400.0, clock_mhz=1_500.0, images_per_second=20.0)
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
    assert drawn(driver.run, 8, "cuda:1") is None
    assert fails_at > 1 or driver.passes == 0


def test_a_processor_has_no_such_sensor() -> None:
    assert drawn(lambda: None, 1, "cpu") is None


def test_energy_is_power_times_the_seconds_of_a_thousand_requests() -> None:
    assert Drawn(watts=360.0, clock_mhz=1.0, images_per_second=1_000).wh_per_1k == pytest.approx(0.1)


def test_what_another_maker_s_driver_tells_is_not_taken_for_milliwatts(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver(monkeypatch)
    monkeypatch.setattr(module.torch.version, "hip", "6.4")
    assert drawn(driver.run, 8, "cuda:1") is None
    assert driver.passes == driver.looks == 0


def test_readings_have_the_energy_and_a_clock_that_moves_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher's clock counts too, although it is read last."""
    clocks = iter([1_980.0, 1_200.0, 1_980.0])
    monkeypatch.setattr(measure, "drawn", lambda run, batch, device: Drawn(360.0, next(clocks), 1_000.0))
    ear = Recorder()
    asked = {"teacher": "test_resnet", "max_cost": 1.0, "device": "cpu", "price_per_hour": 1.0, "serve_batch_size": 2}
    model = cost_model_for(SearchConfig.of(**asked, serve_runtime="eager"), 32)
    measurement = measure.Measurement("test_resnet", partial(build, "test_resnet", 5, 32), model, ear, max_rounds=6)
    for name in ("test_vit", "lcnet_035"):
        readings = measurement.read({name: partial(build, name, 5, 32)}, ear)
    assert [reading.energy_wh_per_1k for reading in readings.values()] == [pytest.approx(0.1)] * 3
    assert [reading.clock_mhz for reading in readings.values()] == [1_200.0, 1_980.0, 1_980.0]
    (said,) = [note for note in ear.notes if "MHz" in note]
    assert said.startswith("The GPU ran at 1,200 to 1,980 MHz for different models")


def test_a_clock_that_moves_between_models_is_said() -> None:
    assert clocks_remark([]) is None
    assert clocks_remark([1_500, 1_560]) is None
    assert clocks_remark([1_980, 1_410]) == (
        "The GPU ran at 1,410 to 1,980 MHz for different models, which is in their costs; "
        "`nvidia-smi --lock-gpu-clocks` keeps it still."
    )
