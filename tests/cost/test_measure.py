import pytest
import torch

import autokd.cost.measure
from autokd.cost.bench import batch_sizes
from autokd.cost.measure import MIN_ROUNDS, TEACHER_SAMPLES, measure
from autokd.errors import ConfigError, UsageError
from autokd.progress import Silent
from autokd.records import CostModel, HourlyPrice, PayPerUse
from autokd.zoo.build import build


def cost_model(**fields):
    return CostModel(
        **{
            "model": "measured",
            "price_usd_per_hour": 1.0,
            "price_source": "test",
            "price_date": "2026-01-01",
            "instance": "test",
            "train_price_usd_per_hour": 1.0,
            "device": "cpu",
            "runtime": "eager",
            "batch_size": 4,
            "image_size": 64,
            **fields,
        }
    )


def builders(*names, image_size=64):
    return {name: lambda name=name: build(name, 10, image_size) for name in names}


class Ear(Silent):
    def __init__(self):
        self.notes = []
        self.steps = []

    def note(self, text):
        self.notes.append(text)

    def advance(self, what, done, total, seconds_left):
        self.steps.append((done, total))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small models on several busy cores mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def readings():
    ear = Ear()
    found = measure(builders("resnet18", "test_vit", "test_resnet"), "resnet18", cost_model(), ear)
    return found, ear


def test_the_small_models_are_faster_and_cheaper_than_the_teacher(readings):
    found, _ = readings
    for student in ("test_vit", "test_resnet"):
        assert found[student].capacity_rps > found["resnet18"].capacity_rps
        assert found[student].cost_usd_per_1k.mean < found["resnet18"].cost_usd_per_1k.mean


def test_readings_are_complete(readings):
    found, ear = readings
    assert list(found) == ["resnet18", "test_vit", "test_resnet"]
    assert ear.steps == [(2, 2)]
    assert not ear.notes
    for name, reading in found.items():
        assert reading.model == name
        assert reading.batch_size == 4
        assert reading.rounds >= MIN_ROUNDS
        latency, cost = reading.latency_ms, reading.cost_usd_per_1k
        assert 0 < latency.p50 <= latency.p95 <= (latency.p99 or latency.p95)
        assert reading.load_seconds > 0
        assert reading.logit_difference < 1e-4
        assert reading.peak_memory_bytes is None  # of a GPU only
        assert 0 < cost.low <= cost.mean <= cost.high < float("inf")
    assert found["resnet18"].rounds >= TEACHER_SAMPLES


def test_cost_is_that_of_the_capacity(readings):
    """One dollar an hour, 30 % used."""
    found, _ = readings
    reading = found["test_vit"]
    assert reading.cost_usd_per_1k.mean == pytest.approx(1000 / (3600 * reading.capacity_rps * 0.3))


def test_a_latency_limit_lowers_the_capacity():
    names = builders("test_vit", "test_resnet")
    strict = measure(names, "test_vit", cost_model(), max_latency_ms=1e-3)
    assert strict["test_vit"].capacity_rps == 0
    assert strict["test_resnet"].cost_usd_per_1k.mean == float("inf")
    loose = measure(names, "test_vit", cost_model(), max_latency_ms=1e4)
    assert loose["test_vit"].capacity_rps > 0


def test_every_model_has_its_own_batch_also_under_a_limit():
    found = measure(builders("test_vit", "test_resnet"), "test_vit", cost_model(batch_size=None), max_latency_ms=1e4)
    assert all(reading.capacity_rps > 0 for reading in found.values())
    assert all(reading.batch_size in (1, 2, 4, 8, 16, 32) for reading in found.values())


def test_half_precision_is_served_in_that_precision():
    found = measure(builders("test_resnet"), "test_resnet", cost_model(precision="bf16"))
    assert found["test_resnet"].capacity_rps > 0


class Picky(torch.nn.Module):
    def forward(self, images):
        raise RuntimeError("expected more pixels")


def test_a_student_that_cannot_be_served_is_named_and_left_out():
    ear = Ear()
    models = builders("test_resnet") | {"picky": Picky, "unknown": lambda: build("resnet125", 10, 64)}
    found = measure(models, "test_resnet", cost_model(), ear)
    assert list(found) == ["test_resnet"]
    assert "picky cannot be served" in ear.notes[0]
    assert "expected more pixels" in ear.notes[0]
    assert "did you mean" in ear.notes[1]


class Crowded(torch.nn.Module):
    """On a device with room for so many models and so many images."""

    loaded = 0

    def __init__(self, room=2, images=99):
        super().__init__()
        self.room, self.images = room, images

    def _apply(self, fn, recurse=True):
        Crowded.loaded += 1
        if Crowded.loaded > self.room:
            Crowded.loaded -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super()._apply(fn, recurse)

    def forward(self, images):
        if len(images) > self.images:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED")
        return images.mean((2, 3))


def test_students_that_do_not_fit_beside_each_other_are_timed_in_smaller_groups(monkeypatch):
    ear, groups = Ear(), []
    monkeypatch.setattr("autokd.cost.bench.Timed.drop", lambda timed: setattr(Crowded, "loaded", 0))
    compare = autokd.cost.measure._compare
    monkeypatch.setattr(
        autokd.cost.measure,
        "_compare",
        lambda loaded, *rest: groups.append([one.name for one in loaded]) or compare(loaded, *rest),
    )
    monkeypatch.setattr(Crowded, "loaded", 0)
    models = builders("test_resnet") | {name: lambda: Crowded(room=6) for name in "abc"}  # placing takes three steps
    found = measure(models, "test_resnet", cost_model(), ear)
    assert groups == [["a", "b"], ["c"]]
    assert set(found) == {"test_resnet", *"abc"}
    assert ear.notes == []


@pytest.mark.parametrize("crowded", [{"room": 0}, {"images": 3}])
def test_a_batch_that_does_not_fit_is_said_in_a_sentence(monkeypatch, crowded):
    monkeypatch.setattr(Crowded, "loaded", 0)
    ear = Ear()
    models = builders("test_resnet") | {"crowded": lambda: Crowded(**{"room": 99, **crowded})}
    assert list(measure(models, "test_resnet", cost_model(), ear)) == ["test_resnet"]
    assert ear.notes == [
        "crowded with serve_batch_size=4 does not fit into the memory of cpu; give a smaller serve_batch_size"
    ]
    with pytest.raises(ConfigError, match=r"give a smaller serve_batch_size$"):
        measure({"crowded": models["crowded"]}, "crowded", cost_model())


def test_a_teacher_that_cannot_be_served_is_an_error():
    with pytest.raises(ConfigError, match=r"picky cannot be served .* choose eager and fp32"):
        measure({"picky": Picky}, "picky", cost_model())
    with pytest.raises(UsageError):
        measure({"unknown": lambda: build("resnet125", 10, 64)}, "unknown", cost_model())


def test_batch_sizes_double_up_to_the_largest():
    assert batch_sizes(1) == [1]
    assert batch_sizes(8) == [1, 2, 4, 8]
    assert batch_sizes(12) == [1, 2, 4, 8, 12]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("runtime", ["eager", "compile"])
def test_on_a_gpu(runtime):
    model = cost_model(device="cuda", precision="bf16", batch_size=32, runtime=runtime)
    found = measure(builders("resnet18", "test_resnet"), "resnet18", model)
    assert found["test_resnet"].capacity_rps > found["resnet18"].capacity_rps


def test_under_a_latency_limit_the_server_takes_the_batch_it_answers_in_time():
    from autokd.cost.bench import Timed
    from autokd.cost.measure import _within
    from autokd.records import Latency

    timed = Timed("a", run=lambda size: 0.0, batch=8, by_batch={1: 0.002, 2: 0.003, 4: 0.005, 8: 0.010})
    full = Latency(p50=10.0, p95=12.0, p99=14.0)
    assert _within(20.0, timed, full) == (8, full)
    batch, waits = _within(7.0, timed, full)
    assert (batch, waits.p95) == (4, 6.0)
    batch, waits = _within(1.0, timed, full)
    assert (batch, round(waits.p95, 9)) == (1, 2.4)


def test_a_request_alone_is_timed_and_billed_by_use():
    rate = PayPerUse(usd_per_second=0.001, increment_ms=0.001)
    found = measure(builders("test_vit", "test_resnet"), "test_vit", cost_model(pay_per_use=rate))
    for reading in found.values():
        alone = reading.alone_seconds
        assert alone.low <= alone.mean <= alone.high
        assert 0.2 / reading.capacity_rps < alone.mean < 4.5 / reading.capacity_rps, "between an image and a batch"
        assert reading.cost_usd_per_1k.mean == pytest.approx(alone.mean, rel=0.01)


def test_the_teacher_is_priced_on_its_own_machine():
    own = HourlyPrice(price_usd_per_hour=10.0, price_source="t", price_date="undated", instance="large")
    found = measure(builders("test_vit", "test_resnet"), "test_vit", cost_model(teacher_price=own))
    for name, price in (("test_vit", 10.0), ("test_resnet", 1.0)):
        cost = 1000 * price / (3600 * found[name].capacity_rps * 0.3)
        assert found[name].cost_usd_per_1k.mean == pytest.approx(cost)
