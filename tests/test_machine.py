"""The name of the processor, by what Linux and macOS say of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from autokd.machine import processor_name

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
