"""The name of the processor by what Linux and macOS say of it, and the cores by what a container's limit pays for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from autokd.machine import _quotas, keep_to_own_cores, processor_name, usable_cores, visible_cores

ARM = "processor\t: 0\nBogoMIPS\t: 2100.00\nCPU implementer\t: {maker}\nCPU architecture: 8\nCPU part\t: {part}\n"


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9R14\n\nmodel name\t: b\n",
            "AMD EPYC 9R14",
        ),
        (ARM.format(maker="0x41", part="0xd40"), "Arm Neoverse V1"),
        (ARM.format(maker="0x41", part="0xabc"), "Arm core 0xabc"),
        (ARM.format(maker="0xc0", part="0xac3"), "core 0xac3 of maker 0xc0"),
        ("processor\t: 0\n", "a chip"),
    ],
)
def test_the_processor_of_linux(monkeypatch: pytest.MonkeyPatch, cpuinfo: str, name: str) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: cpuinfo)
    monkeypatch.setattr("platform.processor", lambda: "a chip")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert processor_name() == name


def _missing(*_: Any, **__: Any) -> str:
    raise FileNotFoundError


def test_the_processor_of_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", _missing)
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    answer = subprocess.CompletedProcess([], 0, stdout="Apple M2 Pro\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert processor_name() == "Apple M2 Pro"
    monkeypatch.setattr(subprocess, "run", _missing)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert processor_name() == "arm64"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, []),
        ({"cpu.max": "max 100000\n"}, []),
        ({"cpu.max": "150000 100000\n"}, [1.5]),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, []),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, [2.0]),
    ],
)
def test_the_limit_of_a_container_is_read(tmp_path: Path, files: dict[str, str], cores: list[float]) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert list(_quotas(tmp_path)) == cores


def test_cores_beyond_a_limit_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("autokd.machine.visible_cores", lambda: 64)
    monkeypatch.setattr("autokd.machine._quotas", lambda _: iter([1.5]))
    assert usable_cores() == 2
    keep_to_own_cores()
    assert os.environ["OMP_NUM_THREADS"] == "2"
    monkeypatch.setattr("autokd.machine._quotas", lambda _: iter([]))
    assert usable_cores() == 64


def test_without_a_limit_threads_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("autokd.machine._quotas", lambda _: iter([]))
    assert usable_cores() == visible_cores()
    keep_to_own_cores()
    assert "OMP_NUM_THREADS" not in os.environ
