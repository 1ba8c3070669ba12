import subprocess
import sys

import pytest

from autokd.config import SearchConfig
from autokd.cost.meter import MeasuredMeter, Meter, ParamsMeter
from autokd.cost.price_table import price_of, prices
from autokd.cost.pricing import cost_model_elsewhere, cost_model_for
from autokd.errors import ConfigError
from autokd.machine import processor_name, usable_cores
from autokd.progress import Silent
from autokd.records import Hardware, PayPerUse
from autokd.testing.fake_meter import FakeMeter
from autokd.zoo.build import build


def config(**settings):
    return SearchConfig.of(teacher="resnet152", max_cost=0.01, device="cpu", **settings)


def test_defaults_of_a_cpu():
    model = cost_model_for(config(), 32)
    assert (model.device, model.precision, model.image_size) == ("cpu", "fp32", 32)
    assert (model.runtime, model.batch_size) == (None, None)  # found by measuring
    assert model.price_usd_per_hour == model.train_price_usd_per_hour > 0
    assert model.price_source.startswith("https://")
    assert model.measured_on == Hardware(name=processor_name(), cores=usable_cores())
    assert model.utilization == 0.3


def test_what_the_user_gives_comes_first():
    model = cost_model_for(
        config(
            price_per_hour=2.5,
            train_price_per_hour=1.0,
            serve_precision="bf16",
            serve_batch_size=3,
            accelerators_per_replica=2,
            requests_per_month=1e6,
            utilization=0.5,
        ),
        64,
    )
    assert (model.price_usd_per_hour, model.train_price_usd_per_hour) == (2.5, 1.0)
    assert (model.price_origin, model.price_source) == ("given", "given by the user")
    assert (model.precision, model.batch_size, model.accelerators_per_replica) == ("bf16", 3, 2)
    assert (model.requests_per_month, model.utilization) == (1e6, 0.5)


def test_a_gpu_that_trains_and_does_not_serve_has_its_price(monkeypatch):
    def hardware(device, _):
        cpu = Hardware(name=processor_name(), cores=usable_cores())
        return Hardware(name=gpu, cores=None) if device == "cuda" else cpu

    monkeypatch.setattr("autokd.cost.pricing._hardware", hardware)
    asked = config(serve_device="cpu").model_copy(update={"device": "cuda"})
    gpu = "NVIDIA A100-SXM4-40GB"
    model = cost_model_for(asked, 32)
    on_gpu = price_of("p4d.24xlarge", prices(None)).hourly.price_usd_per_hour
    assert model.train_price_usd_per_hour == pytest.approx(on_gpu)
    assert model.price_usd_per_hour < on_gpu
    measured = model.model_copy(update={"device": "cuda", "measured_on": Hardware(name="NVIDIA L4", cores=None)})
    assert cost_model_elsewhere(asked, measured).train_price_usd_per_hour == pytest.approx(on_gpu)
    alike = measured.model_copy(update={"measured_on": Hardware(name=gpu, cores=None)})
    assert cost_model_elsewhere(asked, alike).train_price_usd_per_hour == alike.price_usd_per_hour
    gpu = "Quadro 600"
    with pytest.raises(ConfigError, match=r"serves, but Quadro 600 trains.*give .*train_price_per_hour"):
        cost_model_for(asked, 32)
    assert cost_model_for(asked, 32, trains=False).price_usd_per_hour == model.price_usd_per_hour
    given = asked.model_copy(update={"train_price_per_hour": 3.0})
    assert cost_model_for(given, 32).train_price_usd_per_hour == 3.0


def test_parameters_have_a_price_of_their_own():
    assert cost_model_for(config(cost_model="params"), 32).usd_per_1k_per_billion == 0.1
    assert cost_model_for(config(cost_model="params", price_per_billion=0.2), 32).usd_per_1k_per_billion == 0.2


def test_an_instance_is_looked_up():
    model = cost_model_for(config(instance="p4d.24xlarge"), 32)
    assert model.price_usd_per_hour == pytest.approx(21.957642 / 8)
    with pytest.raises(ConfigError, match="not in the price table"):
        cost_model_for(config(instance="x9.huge"), 32)


def test_an_instance_that_is_not_this_hardware_has_a_borrowed_price(monkeypatch):
    monkeypatch.setattr("autokd.cost.pricing.processor_name", lambda: "AMD EPYC 9R14")
    monkeypatch.setattr("autokd.cost.pricing.usable_cores", lambda: 2)
    assert cost_model_for(config(), 32).instance == "AWS c7a.large (2 vCPUs, AMD EPYC 9R14), us-east-1"
    assert cost_model_for(config(), 32).price_origin == "table"
    assert cost_model_for(config(instance="c7a.large"), 32).price_origin == "table"
    assert cost_model_for(config(instance="c7i.large"), 32).price_origin == "borrowed"


def test_billed_by_use_models_are_measured_at_batch_size_1():
    model = cost_model_for(config(price_per_second=2e-5, billing_increment_ms=100.0), 32)
    assert model.pay_per_use == PayPerUse(usd_per_second=2e-5, increment_ms=100.0)
    assert model.batch_size == 1
    assert model.train_price_usd_per_hour == cost_model_for(config(), 32).train_price_usd_per_hour
    assert cost_model_for(config(price_per_second=2e-5, train_price_per_hour=0.7), 32).train_price_usd_per_hour == 0.7
    readings = FakeMeter({"teacher": 16_000_000}, model).read([], Silent())
    assert readings["teacher"].cost_usd_per_1k.mean == pytest.approx(1000 * 0.1 * 2e-5)


def test_the_teacher_can_be_priced_on_another_instance():
    model = cost_model_for(config(price_per_hour=1.0, teacher_instance="p5.4xlarge"), 32)
    assert (model.price_usd_per_hour, model.for_teacher.price_usd_per_hour) == (1.0, 6.88)
    assert model.for_teacher.price_origin == "borrowed"
    given = cost_model_for(config(price_per_hour=1.0, teacher_price_per_hour=3.0), 32)
    assert (given.for_teacher.price_usd_per_hour, given.for_teacher.price_origin) == (3.0, "given")
    sizes = {"teacher": 16_000_000, "student": 1_000_000}
    readings = FakeMeter(sizes, given).read(["student"], Silent())
    ratio = readings["teacher"].cost_usd_per_1k.mean / readings["student"].cost_usd_per_1k.mean
    assert ratio == pytest.approx(3 * 4)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device; choose cpu"):
        cost_model_for(config(serve_device="cuda"), 32)


def test_a_gpu_brings_its_price_precision_and_batch(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "NVIDIA L4")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (8, 9))
    model = cost_model_for(config(serve_device="cuda:0"), 32)
    assert model.precision == "bf16"
    assert "g6.xlarge" in model.instance
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))  # of a T4
    assert cost_model_for(config(serve_device="cuda:0"), 32).precision == "fp16"
    with pytest.raises(ConfigError, match="price_per_hour"):
        monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "NVIDIA Unheard")
        cost_model_for(config(serve_device="cuda:0"), 32)


def test_params_meter_prices_the_mission_figures():
    model = cost_model_for(config(cost_model="params"), 32)
    meter: Meter = ParamsMeter({"large": 1_000_000_000, "small": 100_000_000}, model)
    readings = meter.read(["small"], Silent())
    assert readings["large"].cost_usd_per_1k.mean == pytest.approx(0.10)
    assert readings["small"].cost_usd_per_1k.mean == pytest.approx(0.01)
    assert readings["small"].capacity_rps is None
    assert readings["small"].latency_ms is None
    assert not readings["small"].noisy


def test_fake_meter_is_a_formula():
    meter: Meter = FakeMeter({"teacher": 16_000_000, "student": 1_000_000}, cost_model_for(config(), 32))
    first, second = (meter.read(["student"], Silent()) for _ in range(2))
    assert first == second
    assert first["teacher"].cost_usd_per_1k.mean == pytest.approx(4 * first["student"].cost_usd_per_1k.mean)
    interval = first["student"].cost_usd_per_1k
    assert interval.low < interval.mean < interval.high


def test_measured_meter_measures():
    model = cost_model_for(config(serve_batch_size=2, serve_runtime="eager"), 32)
    meter: Meter = MeasuredMeter("test_resnet", lambda name: build(name, 10, 32), model)
    readings = meter.read(["test_vit"], Silent())
    assert list(readings) == ["test_resnet", "test_vit"]
    assert all(reading.capacity_rps > 0 for reading in readings.values())


def test_measured_meter_remembers_what_it_has_measured_against_one_teacher():
    model = cost_model_for(config(serve_batch_size=2, serve_runtime="eager"), 32)
    meter: Meter = MeasuredMeter("test_resnet", lambda name: build(name, 10, 32), model)
    first = meter.read(["test_vit"], Silent())
    both = meter.read(["test_vit2"], Silent())
    assert list(both) == ["test_resnet", "test_vit", "test_vit2"]
    assert both["test_vit"].rounds == first["test_vit"].rounds
    costs = [{name: r.cost_usd_per_1k.mean for name, r in readings.items()} for readings in (first, both)]
    ratios = [cost["test_vit"] / cost["test_resnet"] for cost in costs]
    assert ratios[0] == pytest.approx(ratios[1])  # the teacher's own time may have been told better meanwhile


def test_formulas_and_prices_need_no_torch():
    code = (
        "import sys, autokd.cost.meter, autokd.testing.fake_meter, autokd.cost.queueing; print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
