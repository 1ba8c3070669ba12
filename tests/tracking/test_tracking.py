"""What TensorBoard and MLflow were told, read back with their own libraries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeParts, Hearing

from autokd.config import SearchConfig
from autokd.errors import ConfigError, InterruptedRun
from autokd.pipeline.search import run_search
from autokd.result import SearchResult
from autokd.tracking.mlflow import MLflow
from autokd.tracking.open import check_tracker, tracking
from autokd.tracking.protocol import NoTracker


def searched(settings: SearchConfig, output: Path, tracker: str | None, **arguments: Any) -> SearchResult:
    return run_search(settings.changed({"tracker": tracker}), output=output, parts=FakeParts(), **arguments)


def test_tensorboard_has_curves_hyperparameters_and_the_verdict(settings: SearchConfig, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    def read(name: str) -> EventAccumulator:
        return EventAccumulator(str(tmp_path / "run" / "tensorboard" / name)).Reload()

    result = searched(settings, tmp_path / "run", "tensorboard")
    best = result.trials.query("state == 'complete'").iloc[0]
    trial = read(f"trials/{best.number}")
    curve = trial.Scalars("val_accuracy")
    assert [point.step for point in curve] == list(range(1, best.epochs + 1))
    assert curve[-1].value == pytest.approx(best.val_accuracy, abs=1e-6)
    assert trial.Scalars("hparam/val_accuracy")[-1].value == pytest.approx(best.val_accuracy, abs=1e-6)
    assert trial.Scalars("cost_usd_per_1k")[0].value == pytest.approx(best.cost_usd_per_1k, rel=1e-5)
    search = read("search")
    told = {tag: search.Tensors(tag)[-1].tensor_proto.string_val[0].decode() for tag in search.Tags()["tensors"]}
    assert told["verdict/text_summary"] == f"{result.verdict} ({result.strength})"
    assert told["summary/text_summary"] == result.summary
    assert "report.html" in told["files/text_summary"]
    assert search.Scalars("teacher_accuracy")[0].value == pytest.approx(result.options.teacher.accuracy.mean, abs=1e-6)
    finalist = result.report.finalists[0].number
    assert read(f"finalists/{finalist}/1").Scalars("test_accuracy")[0].value > 0.5


def test_mlflow_has_one_run_for_a_resumed_search_with_its_trainings_in_it(
    settings: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    epochs = 0

    def stop() -> bool:
        nonlocal epochs
        epochs += 1
        return epochs > 30

    with pytest.raises(InterruptedRun):
        searched(settings, tmp_path / "run", "mlflow", stop=stop)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("autokd").experiment_id
    assert {run.info.status for run in client.search_runs([experiment])} == {"KILLED", "FINISHED"}

    result = searched(settings, tmp_path / "run", "mlflow", resume=True)
    runs = client.search_runs([experiment], max_results=1000)
    (search,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert (search.info.run_name, search.info.status) == ("run", "FINISHED")
    assert search.data.tags["autokd.verdict"] == f"{result.verdict} ({result.strength})"
    assert search.data.tags["mlflow.note.content"] == result.summary
    assert search.data.params["max_cost"] == "1.0"
    assert search.data.metrics["distilled_accuracy"] == result.options.distilled.accuracy.mean
    files = {file.path for file in client.list_artifacts(search.info.run_id)}
    assert {"report.json", "report.html", "options.csv", "student"} <= files
    names = [run.info.run_name for run in runs if run is not search]
    assert len(names) == len(set(names)) > len(result.trials)
    trial = next(run for run in runs if run.info.run_name == "trials/0")
    row = result.trials.query("number == 0").iloc[0]
    assert trial.data.params["student"] == row.student
    assert trial.data.metrics["val_accuracy"] == row.val_accuracy
    curve = client.get_metric_history(trial.info.run_id, "val_accuracy")
    assert {point.step for point in curve} == set(range(1, row.epochs + 1))
    finalist = next(run for run in runs if run.info.run_name.startswith("finalists/"))
    assert "test_accuracy" in finalist.data.metrics

    tracker = MLflow("other", "now")
    for how in ("failed", "finished"):
        tracker.settings("trials/999", {"student": "lcnet_035"})
        tracker.metrics("trials/999", {"val_accuracy": 0.5}, 1)
        tracker.end("trials/999", how)
    again = client.search_runs([experiment], "attributes.run_name = 'trials/999'")
    assert [run.info.status for run in again] == ["FINISHED"], "it began again after its worker had died"


def test_without_a_tracker_nothing_is_tracked(done: SearchResult) -> None:
    assert done._run.settings.tracker is None
    assert not (done.path / "tensorboard").exists()


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.tracking.open.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"tracker='mlflow' needs the package mlflow.*pip install 'autokd\[mlflow\]'"):
        check_tracker("mlflow")
    check_tracker(None)


class Broken(NoTracker):
    """Fails at the first epoch."""

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        raise OSError("no server\nanswers")


def test_a_tracker_that_fails_is_told_of_once_and_the_run_goes_on(
    settings: SearchConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autokd.tracking.open._made", lambda *_: Broken())
    hearing = Hearing()
    result = searched(settings, tmp_path / "run", "mlflow", listener=hearing)
    assert result.verdict == "distill"
    (told,) = [note for note in hearing.notes if "racking" in note]
    assert told == "Tracking has stopped (OSError: no server); the run goes on, and its folder holds everything."


def test_a_tracker_that_cannot_begin_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    with (
        pytest.raises(ConfigError, match=r"tracker='mlflow' cannot be used \(.*\); see to mlflow, or search without"),
        tracking("mlflow", tmp_path, "now", {}, print),
    ):
        raise AssertionError("it began")
