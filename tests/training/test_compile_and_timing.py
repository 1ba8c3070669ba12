"""The estimate of training time; only that it is one, since times themselves are nobody's business here."""

from __future__ import annotations

from autokd.training.compile_and_timing import training_seconds_per_image
from autokd.training.device import gains_from_bf16, resolve_device
from autokd.zoo.build import build


def test_a_training_step_takes_time():
    assert 0 < training_seconds_per_image(build("test_resnet", 3, 32), 32, 4, "cpu") < 10


def test_the_asked_device_is_taken():
    assert resolve_device("meta") == "meta"
    assert resolve_device(None) in {"cpu", "cuda"}


def test_bfloat16_is_for_processors_that_gain_from_it():
    assert gains_from_bf16("cpu") in {True, False}
    assert gains_from_bf16("mps") is False
