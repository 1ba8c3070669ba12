"""What decoding on the serving machine leaves of a capacity."""

from __future__ import annotations

import pytest
from made_evidence import made_cost_model

from autokd.cost.with_decoding import capacity_with_decoding
from autokd.records import Decoding

TOLD = Decoding(milliseconds=10.0, cores=2)  # 200 images a second


def test_on_a_processor_network_and_decoding_share_the_cores() -> None:
    model = made_cost_model(device="cpu")
    assert capacity_with_decoding(200.0, TOLD, model) == pytest.approx(100.0)
    assert capacity_with_decoding(20.0, TOLD, model) == pytest.approx(1 / (1 / 20 + 1 / 200))
    assert capacity_with_decoding(0.0, TOLD, model) == 0


def test_on_a_gpu_the_slower_of_the_two_is_the_limit() -> None:
    model = made_cost_model(device="cuda")
    assert capacity_with_decoding(20.0, TOLD, model) == 20.0
    assert capacity_with_decoding(2_000.0, TOLD, model) == pytest.approx(200.0)
