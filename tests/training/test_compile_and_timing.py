"""The estimate of training time; only that it is one, since times themselves are nobody's business here."""

from __future__ import annotations

from autokd.training.compile_and_timing import training_seconds_per_image, try_compile
from autokd.zoo.build import build


def test_a_training_step_takes_time():
    assert 0 < training_seconds_per_image(build("test_resnet", 3, 32), 32, 4, "cpu") < 10


def test_a_step_that_does_not_fit_is_not_compiled(monkeypatch):
    def full(*_):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")

    monkeypatch.setattr("autokd.training.compile_and_timing._step_times", full)
    found = try_compile(build("test_resnet", 3, 32), 32, 4, 100, "cpu")
    assert (found.used, found.reason) == (False, "not compiled: there was not enough memory to try it")
