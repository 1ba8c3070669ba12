"""Models converted side by side: the same answers as in this process, and a failure costs nothing but time."""

from __future__ import annotations

import os
import signal
import threading
from functools import partial
from multiprocessing import Pipe

import pytest
import torch
from helpers_images import one_thread
from torch import nn

from autokd.config import SearchConfig
from autokd.cost import bench as bench_module
from autokd.cost.bench import Bench
from autokd.cost.meter import MeasuredMeter
from autokd.cost.pricing import cost_model_for
from autokd.cost.runtimes import conversions as module
from autokd.cost.runtimes.conversions import Conversions, work
from autokd.cost.runtimes.eager import Eager
from autokd.cost.runtimes.onnx_runtime import OnnxRuntime
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.records import CostModel
from autokd.zoo.build import build
from autokd.zoo.served_form import served_form

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


class Untravelled(nn.Module):
    """A model that no process can be sent, and that is converted here all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.act = lambda x: x + 1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.act(images.mean((2, 3)))


class Sent(nn.Module):
    """A model that can be sent, but not taken up again."""

    def __reduce__(self) -> tuple[object, ...]:
        return int, ("not a number",)


class Refused(nn.Module):
    """What depends on the values has no one graph."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3)) if bool(images.sum() > 0) else images.amax((2, 3))


def test_converted_elsewhere_is_what_is_converted_here() -> None:
    """What cannot be sent, taken up or converted costs no process."""
    models = [served_form(build(name, 5, 32), 32) for name in ("test_resnet", "test_vit")]
    runtime = OnnxRuntime("fp32")
    conversions = Conversions(runtime, 2)
    try:
        found = conversions.convert([(model, IMAGES) for model in (Untravelled(), Sent(), Refused(), *models)])
        assert len(conversions._processes) == 2
    finally:
        conversions.close()
    assert found[:3] == [None] * 3
    for model, converted in zip(models, found[3:], strict=True):
        with torch.no_grad():
            expected = model(IMAGES)
        assert torch.allclose(runtime.load(converted, IMAGES).logits(2), expected, atol=1e-4)  # type: ignore[arg-type]


def test_without_processes_that_live_everything_is_left_to_this_one() -> None:
    conversions = Conversions(Eager("cpu", "fp32"), 2)
    for process in conversions._processes.values():
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert conversions.convert([(nn.Identity(), IMAGES)] * 3) == [None] * 3
    conversions.close()


def test_processes_end_by_themselves_when_they_are_no_longer_needed() -> None:
    """One that is killed would leave what torch has registered for it, and Python would say so at the end."""
    conversions = Conversions(Eager("cpu", "fp32"), 1)
    (process,) = conversions._processes.values()
    assert conversions.convert([(nn.Identity(), IMAGES)]) != [None]
    assert process.pid
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)  # as Ctrl-C does, which the search itself answers
    assert conversions.convert([(nn.Identity(), IMAGES)]) != [None]
    conversions.close()
    assert process.exitcode == 0


@pytest.mark.parametrize(("cores", "gigabytes", "expected"), [(16, 64, 4), (2, 64, 2), (16, 5, 2), (16, 1, 1)])
def test_there_are_as_many_processes_as_cores_and_memory_allow(
    cores: int, gigabytes: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    monkeypatch.setattr(module, "available_memory", lambda: gigabytes * 10**9)
    assert module.affordable_processes() == expected


def test_a_process_answers_until_its_pipe_is_closed() -> None:
    here, there = Pipe()
    life = threading.Thread(target=work, args=(there, Eager("cpu", "fp32")))
    with one_thread():  # which this life sets for its whole process
        life.start()
        here.send_bytes(module.pickle.dumps((nn.Identity(), IMAGES)))
        assert isinstance(here.recv(), nn.Identity)
        here.close()
        life.join(timeout=10)
    assert not life.is_alive()


class Played:
    """Conversions in this process, of which some fail."""

    def __init__(self, runtime: OnnxRuntime, processes: int) -> None:
        self.runtime, self.asked, self.closed = runtime, list[int](), False
        made.append(self)

    def convert(self, models: list[tuple[nn.Module, torch.Tensor]]) -> list[bytes | None]:
        self.asked.append(len(models))
        return [self.runtime.convert(*model) if number in (0, 2) else None for number, model in enumerate(models)]

    def close(self) -> None:
        self.closed = True


made: list[Played] = []


def cost_model() -> CostModel:
    settings = SearchConfig.of(teacher="test_resnet", max_cost=1, device="cpu", price_per_hour=1.0)
    return cost_model_for(settings, 32).model_copy(update={"runtime": "onnxruntime", "batch_size": 2})


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Played]:
    made.clear()
    monkeypatch.setattr(bench_module, "Conversions", Played)
    monkeypatch.setattr(bench_module, "FEWEST", 3)
    return made


def test_students_are_converted_a_group_at_a_time_and_what_failed_again_here(played: list[Played]) -> None:
    bench = Bench(cost_model(), with_sizes=False)
    names = ["test_resnet", "test_vit", "lcnet_035"]
    builders = {name: partial(build, name, 5, 32) for name in names} | {"odd": Refused}
    notes: list[str] = []

    class Ear(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    bench.convert_side_by_side(4, processes=2)
    bench.convert_side_by_side(4, processes=2)  # those that run already do
    loaded, done = bench.load_all([*names, "odd"], builders, Ear())
    bench.close()
    assert len(played) == 1
    assert ([one.name for one in loaded], done) == (names, 4)
    assert played[0].asked == [4]
    assert played[0].closed
    assert len(notes) == 1 and notes[0].startswith("odd cannot be served")
    assert all(one.logit_difference is not None and one.logit_difference < 1e-3 for one in loaded)


@pytest.mark.parametrize(("models", "processes"), [(2, 4), (3, 1)])
def test_for_a_few_models_or_one_core_no_process_is_started(models: int, processes: int, played: list[Played]) -> None:
    Bench(cost_model(), with_sizes=False).convert_side_by_side(models, processes)
    assert not played


def test_a_few_students_at_a_time_of_many_are_converted_side_by_side_too(played: list[Played]) -> None:
    """As under a time limit."""
    students = ["test_vit", "lcnet_035"]
    meter = MeasuredMeter("test_resnet", lambda name: build(name, 5, 32), cost_model(), processes=2, expected=3)
    for name in students:
        meter.read([name], Silent())
    assert [one.asked for one in played] == [[1, 1]]
    meter.close()
    assert played[0].closed


def test_only_who_may_start_processes_does() -> None:
    """From Python, each would run the main module of the user's script."""
    meter = MeasuredMeter("test_resnet", lambda name: build(name, 5, 32), cost_model())
    assert meter._processes == 1
    assert not Parts().is_program
