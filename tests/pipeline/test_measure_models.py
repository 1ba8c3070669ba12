"""`autokd measure`: models by name, folder or run; and a search with the file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fakes import FakeParts, Hearing
from made_costs import made_costs

import autokd
from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.cost.costs_file import read_costs, write_costs
from autokd.errors import ConfigError, PathError, UsageError
from autokd.pipeline.measure_models import measure_models, source_of
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.result import SearchResult
from autokd.runs.store import COSTS
from autokd.zoo.build import build

QUICKLY = ("--serve-runtime", "eager", "--serve-batch-size", "2", "--price-per-hour", "0.5")


def measure(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["measure", *map(str, arguments)], catch_exceptions=False)


def test_models_by_name_are_measured_and_written(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    named = ("test_resnet", "test_byobnet", "test_byobnet.r160_in1k")
    done = measure(*named, "--image-size", 32, "--classes", 10, *QUICKLY, "--output", path)
    assert done.exit_code == 0
    assert "test_byobnet" in done.stdout
    assert f"--costs {path}" in done.stdout
    costs = read_costs(path)
    assert list(costs.readings) == ["test_resnet", "test_byobnet"]
    assert (costs.reference, costs.classes, costs.cost_model.image_size) == ("test_resnet", 10, 32)
    assert (costs.cost_model.runtime, costs.cost_model.batch_size) == ("eager", 2)
    assert costs.cost_model.price_usd_per_hour == 0.5
    assert all(reading.capacity_rps for reading in costs.readings.values())
    assert "torch" in costs.versions


def test_models_are_measured_from_python(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    quickly: dict[str, Any] = {"serve_runtime": "eager", "serve_batch_size": 2, "price_per_hour": 0.5}
    costs = autokd.measure(["test_resnet", "test_byobnet"], image_size=32, classes=10, output=path, **quickly)
    assert list(costs.readings) == ["test_resnet", "test_byobnet"]
    assert read_costs(path) == costs
    assert (costs.classes, costs.cost_model.price_usd_per_hour) == (10, 0.5)
    with pytest.raises(ConfigError, match="unknown setting 'serve_runtim'; did you mean serve_runtime"):
        autokd.measure(["test_resnet"], serve_runtim="eager")
    with pytest.raises(ConfigError, match="no model is named"):
        autokd.measure([])
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PathError, match=r"mine\.txt exists and is no file of `autokd measure`"):
        autokd.measure(["test_resnet"], output=tmp_path / "mine.txt")


def test_an_unknown_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean"):
        measure_models(["resnet125"])
    with pytest.raises(ConfigError, match=r"neither a run \(run.json\) nor a timm model"):
        measure_models([str(tmp_path)])


def test_a_timm_folder_says_name_classes_and_size(tmp_path: Path) -> None:
    from timm.models import save_for_hf

    plain = tmp_path / "plain"
    save_for_hf(build("test_resnet", 7, 32), str(plain), safe_serialization=True)
    assert source_of(str(plain)).names == ("test_resnet",)
    assert source_of(str(plain)).classes == 7
    config = json.loads((plain / "config.json").read_text())
    config["model_args"] = {"channels": [8, 8, 8, 8]}
    (plain / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=r"settings of its own \(channels\)"):
        source_of(str(plain))
    (plain / "config.json").write_text(json.dumps({**config, "student": "resnet18@width=0.5"}))
    assert source_of(str(plain)).names == ("resnet18@width=0.5",)
    (plain / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="is not that of a timm model"):
        source_of(str(plain))


def test_a_run_is_its_teacher_and_finalists_as_it_served_them(done: SearchResult) -> None:
    source = source_of(str(done.path))
    assert source.names[0] == "resnet10t"
    assert set(source.names[1:]) == {finalist.student for finalist in done.report.finalists}
    assert (source.image_size, source.classes) == (32, 10)
    assert source.settings["serve_runtime"] == "auto"


class FileParts(FakeParts):
    """Nothing is measured: costs are those of a file, as in a real search."""

    cost_model = Parts.cost_model
    meter = Parts.meter
    teacher_again = Parts.teacher_again


def searched(tmp_path: Path, space_file: Path, capacities: dict[str, float], **settings: Any) -> SearchResult:
    from autokd.pipeline.search import run_search

    path = tmp_path / "costs.json"
    write_costs(path, made_costs(capacities))
    config = SearchConfig.of(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=6, trials=8, costs=path, **settings
    )
    return run_search(config, output=tmp_path / "searched", parts=FileParts(), listener=Hearing())


def test_a_search_takes_costs_from_the_file(tmp_path: Path, space_file: Path) -> None:
    capacities = {"resnet10t": 100.0, "test_resnet": 900.0, "lcnet_035": 800.0, "mobilenetv3_small_050": 700.0}
    result = searched(tmp_path, space_file, capacities, requests_per_month=1e9)
    assert result.options.teacher.capacity_rps == 100.0
    assert result.report.cost_model.measured_elsewhere
    assert result.report.cost_model.requests_per_month == 1e9
    assert COSTS.read(result.path).drift is None  # of that host it is not known
    left_out = {left.student: left.reason for left in result.report.left_out}
    assert "its cost cannot be predicted from it" in left_out["lcnet_050"]
    assert "Speeds were measured on AMD EPYC 9R14, 2 cores by" in (result.path / "report.html").read_text()


def test_predicted_costs_are_marked_wherever_they_are_shown(tmp_path: Path, space_file: Path) -> None:
    known = ("test_resnet", "test_vit", "test_byobnet", "test_convnext", "mobilenetv3_small_075", "lcnet_075")
    known = (*known, "tinynet_e", "tinynet_d", "mobilenetv2_035")
    capacities = {"resnet10t": 100.0, **{name: 900.0 + place for place, name in enumerate(known)}}
    result = searched(tmp_path, space_file, capacities)
    option = result.options.distilled
    assert option is not None and option.predicted
    assert option.student != "test_resnet"
    assert any(finalist.predicted for finalist in result.report.finalists)
    page = (result.path / "report.html").read_text()
    assert f"The cost of {option.student} is predicted, not measured." in page
    assert "predicted cost" in page


def test_a_search_at_another_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    write_costs(path, made_costs({"resnet10t": 100.0}))
    config = SearchConfig.of(teacher="resnet10t", max_cost=1.0, costs=path)
    prepared = FakeParts().prepare(config, Silent())
    task = prepared.task.model_copy(update={"transform": prepared.task.transform.model_copy(update={"image_size": 64})})
    larger = SimpleNamespace(task=task, teacher=prepared.teacher, teacher_size=64)
    with pytest.raises(ConfigError, match="measured at 32 px and the students see 64 px"):
        Parts().meter(larger, {}, config, Parts().cost_model(config, 64))  # type: ignore[arg-type]


def test_another_size_is_refused_before_a_teacher_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.teacher.prepare.prepare_teacher", lambda *_: pytest.fail("a teacher was trained"))
    path = tmp_path / "costs.json"
    write_costs(path, made_costs({"resnet10t": 100.0}))
    config = SearchConfig.of(teacher="resnet10t", max_cost=1.0, costs=path, image_size=8, cache_dir=tmp_path)
    with pytest.raises(ConfigError, match="measured at 32 px and the students see 8 px"):
        Parts().prepare(config, Silent())
