"""What decoding on the serving machine leaves of a capacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts
from made_evidence import made_cost_model

from autokd.config import SearchConfig
from autokd.cost.with_decoding import capacity_with_decoding
from autokd.pipeline.services import Parts
from autokd.progress import Silent
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
    four = made_cost_model(device="cuda", accelerators_per_replica=4)
    assert capacity_with_decoding(2_000.0, TOLD, four) == pytest.approx(800.0)


@pytest.mark.parametrize(("device", "cores"), [("cpu", 16), ("cuda:1", 4)])
def test_the_gpus_of_a_host_share_its_cores(
    device: str, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.machine.usable_cores", lambda: 16)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    monkeypatch.setattr("autokd.data.decode_time.kept_decode_time", lambda _: 3.0)
    config: Any = SearchConfig.of(teacher="resnet10t", max_cost=1.0, device="cpu")
    prepared = FakeParts().prepare(config, Silent())
    assert Parts().decoding(prepared, made_cost_model(device=device)) == Decoding(milliseconds=3.0, cores=cores)
