"""`autokd doctor`: what it says of a machine, and that its smoke test does what a search does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from autokd.cli import cli
from autokd.pipeline import doctor, smoke
from autokd.pipeline.doctor import Check, examine


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Without the smoke test, whose devices are returned, and without a hub."""
    smoked: list[str] = []

    def pretend(device: str, folder: Path) -> list[Check]:
        smoked.append(device)
        return [Check(name=f"training on {device}", ok=True, text="an epoch")]

    monkeypatch.setattr(smoke, "smoke", pretend)
    return smoked


def by_name(cache: Path) -> dict[str, Check]:
    return {check.name.split()[0]: check for check in examine(cache)}


def test_a_smoke_test_does_on_a_device_what_a_search_does(tmp_path: Path) -> None:
    found = list(smoke.smoke("cpu", tmp_path))
    assert [check.name for check in found] == [
        f"{what} on cpu" for what in ("soft labels", "training", "evaluation", "cost")
    ]
    assert all(check.ok for check in found), found
    assert "450 images" in found[2].text and "requests a second" in found[3].text


@pytest.mark.parametrize(
    ("device", "error", "next_step"),
    [
        ("cuda:1", RuntimeError("CUDA error: no kernel image is available"), "give --device cpu"),
        ("cuda:1", torch.OutOfMemoryError("CUDA out of memory"), "another process may hold it"),
        ("cpu", ImportError("no module"), "install the versions of torch and timm"),
    ],
)
def test_what_fails_is_said_with_the_next_step_and_ends_the_test(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, error: Exception, next_step: str
) -> None:
    def fail(_: Any) -> str:
        raise error

    monkeypatch.setattr(smoke._Works, "write_labels", lambda _: "a view")
    monkeypatch.setattr(smoke._Works, "train", fail)
    labels, training = smoke.smoke(device, tmp_path)
    assert labels.ok and not training.ok
    assert training.name == f"training on {device}"
    assert str(error) in training.text and next_step in training.text


def test_a_machine_that_has_all_is_described(tmp_path: Path, quick: list[str]) -> None:
    found = by_name(tmp_path)
    assert list(found)[:2] == ["versions", "cpu"]
    assert all(check.ok for check in found.values())
    assert f"torch {torch.__version__.partition('+')[0]}" in found["versions"].text
    assert "threads of torch" in found["cores"].text
    assert "does not answer" in found["hub"].text  # tests are offline: said, but no failure
    assert quick[0] == "cpu"


@pytest.mark.parametrize(("missing", "ok"), [("ray", True), ("optuna", False)])
def test_packages_that_are_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: list[str], missing: str, ok: bool
) -> None:
    known = {name: "1.0" for name in ("python", *doctor.PACKAGES) if name != missing}
    monkeypatch.setattr(doctor, "versions", lambda: known)
    found = by_name(tmp_path)
    assert f"{missing} not installed" in found["versions"].text
    assert found["versions"].ok is ok
    assert ("install optuna" in found["versions"].text) is not ok
    assert bool(quick) is ok


def test_a_torch_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(name: str) -> None:
        raise OSError("libcudart.so.13: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    (found,) = examine(tmp_path)
    assert not found.ok and "reinstall torch and timm (libcudart.so.13" in found.text


def test_too_little_memory_and_disk_are_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: list[str]
) -> None:
    monkeypatch.setattr(doctor, "available_memory", lambda: 10**9)
    monkeypatch.setattr(doctor, "free_disk", lambda path: 10**6)
    found = by_name(tmp_path)
    assert {name for name, check in found.items() if not check.ok} == {"memory", "cache"}
    assert "1.0 MB free; make room, or give another cache_dir='DIR'" in found["cache"].text


def test_a_cache_that_cannot_be_written(tmp_path: Path, quick: list[str]) -> None:
    (tmp_path / "file").write_text("")
    found = by_name(tmp_path / "file" / "cache")
    assert not found["cache"].ok and "nothing can be written to" in found["cache"].text


@pytest.mark.parametrize(("capability", "said"), [((7, 5), "no bfloat16, float16 instead"), ((9, 0), "bfloat16")])
def test_a_gpu_is_described(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quick: list[str], capability: tuple[int, int], said: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "A GPU")
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)

    def memory(device: str) -> tuple[int, int]:
        if device == "cuda:1":
            raise RuntimeError("CUDA error: an illegal state\nmore")
        return 100 * 10**9, 139 * 10**9

    monkeypatch.setattr("torch.cuda.mem_get_info", memory)
    found = by_name(tmp_path)
    assert "cuda" not in found
    assert found["cuda:0"].text == f"A GPU, 100.0 GB of 139.0 GB free, {said}"
    assert not found["cuda:1"].ok and "(CUDA error: an illegal state); look at nvidia-smi" in found["cuda:1"].text
    assert quick == ["cpu", "cuda:0", "cuda:1"]


@pytest.mark.parametrize("ok", [True, False])
def test_the_command_prints_a_line_a_check_or_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ok: bool) -> None:
    checks = [Check(name="cpu", ok=True, text="A CPU"), Check(name="memory", ok=ok, text="8 GB free")]
    monkeypatch.setattr(doctor, "examine", lambda cache: iter(checks))
    plain = CliRunner().invoke(cli, ["doctor", "--cache-dir", str(tmp_path)])
    first, second, last = plain.output.splitlines()
    assert first == "ok     cpu: A CPU"
    assert second.split()[0] == ("ok" if ok else "wrong")
    assert last.startswith("A search can run" if ok else "A search cannot run")
    as_json = CliRunner().invoke(cli, ["doctor", "--json"])
    assert json.loads(as_json.output) == {"can_run": ok, "checks": [check.model_dump() for check in checks]}
    assert plain.exit_code == as_json.exit_code == (0 if ok else 1)
