"""Whole searches whose students start from weights: given ones, and published ones that cannot be reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeParts
from safetensors.torch import load_file, save_file

import autokd
from autokd.config import SearchConfig, default_cache_dir
from autokd.errors import ConfigError, RunError
from autokd.pipeline.search import run_search
from autokd.training import loop
from autokd.tune import worker
from autokd.weights.published import without_head
from autokd.weights.start import Supply
from autokd.zoo.build import build

STUDENTS = ("test_resnet", "lcnet_050")


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Weights of two students: one with a head of the task's own classes, one of a thousand others."""
    folder = tmp_path / "given"
    folder.mkdir()
    for name, classes, labels in (("test_resnet", 3, ["a", "b", "c"]), ("lcnet_050", 1000, None)):
        torch.manual_seed(11)
        state = {key: tensor.contiguous() for key, tensor in build(name, classes, 32).state_dict().items()}
        metadata = {"label_names": json.dumps(labels)} if labels else None
        save_file(state, folder / f"{name}.safetensors", metadata=metadata)
    return folder


@pytest.mark.slow
def test_both_arms_start_from_given_weights_and_fitting_ones_are_a_finalist_as_they_are(
    given: Path, quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, dict[str, torch.Tensor]]] = []

    def train(training: loop.Training) -> Any:
        state = {key: tensor.clone() for key, tensor in training.model.state_dict().items()}
        begun.append(("distill" if training.recipe.alpha else "direct", state))
        return loop.train(training)

    monkeypatch.setattr(worker, "train", train)
    space = tmp_path / "two.toml"
    space.write_text(f"[students]\ninclude = {json.dumps(STUDENTS)}\n")
    quick |= {"space": str(space), "trials": 4, "epochs": 1, "output": tmp_path / "run"}
    result = autokd.search(**quick, student_weights=str(given))
    bodies = {name: without_head(build(name, 3, 32)) for name in STUDENTS}
    stored = {name: load_file(given / f"{name}.safetensors") for name in STUDENTS}
    for _, state in begun:
        (name,) = [name for name in STUDENTS if bodies[name].keys() <= state.keys()]
        assert all(torch.equal(state[key], stored[name][key]) for key in bodies[name])
    assert {arm for arm, _ in begun} == {"distill", "direct"}

    candidates = json.loads((result.path / "candidates.json").read_text())["candidates"]
    started = {c["student"]: c["weights"]["source"] for c in candidates if c["weights"]}
    assert started == {"test_resnet": "test_resnet.safetensors", "lcnet_050": "lcnet_050.safetensors"}
    assert [len(c["weights"]["fingerprint"]) for c in candidates if c["weights"]] == [16, 16]
    (remark,) = [r.text for r in result.report.search.remarks if "start from" in r.text]
    assert remark == "All 2 students start from given weights, in both arms."
    assert remark in (result.path / "report.html").read_text()

    (published,) = [f for f in result.report.finalists if f.role == "published"]
    assert (published.student, published.arm, published.accuracy.seeds) == ("test_resnet", "direct", 1)
    assert published.device_seconds == 0
    assert published.weights is not None
    assert published.weights.label == "test_resnet.safetensors"
    (looked,) = json.loads((result.path / "published.json").read_text())
    assert looked["val_accuracy"] == published.val_accuracy

    again = autokd.search(**quick, student_weights=str(given), resume=True)
    assert again.report.finalists == result.report.finalists
    with pytest.raises(RunError, match="another student_weights"):
        autokd.search(**quick, student_weights="scratch", resume=True)


class Offline(FakeParts):
    """Nothing is trained or measured, but published weights are asked for."""

    def supply(self, config: SearchConfig) -> Supply:
        return Supply(config.student_weights)


def test_offline_the_report_says_what_the_verdict_holds_for(space_file: Path, tmp_path: Path) -> None:
    config = SearchConfig.of(teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=3, trials=4)
    result = run_search(config, output=tmp_path / "run", parts=Offline())
    (remark,) = [r.text for r in result.report.search.remarks if "random weights" in r.text]
    assert "although timm publishes weights of 3 of them, which could not be had" in remark
    assert "holds for training from scratch only" in remark
    assert not (default_cache_dir() / "students").exists()
    assert {f.weights for f in result.report.finalists} == {None}


def test_what_cannot_be_used_is_refused_before_any_data_are_read(quick: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="student_weights='nowhere' is not a folder"):
        quick["data"] = "a folder that is not there"
        autokd.search(**quick, output=tmp_path / "run", student_weights="nowhere")
    assert not (tmp_path / "run").exists()
