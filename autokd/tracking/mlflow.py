"""MLflow: one MLflow run for the search, and one nested in it for each training.

Where they go is for MLflow to say: MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, else its own default store and the
experiment `autokd`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from autokd.files import digest
from autokd.tracking.protocol import End

STATUS: dict[End, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
OURS = "autokd.training"  # the tag by which a resumed run finds its own
LONGEST = 5_000  # characters of a parameter or a tag


class MLflow:
    """See Tracker. `name` and `started` are the run's; they tell it from another one of the same name."""

    def __init__(self, name: str, started: str) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported
        from mlflow import MlflowClient

        self._client, self._name, self._id = MlflowClient(), name, digest(name, started)
        title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "autokd"
        known = self._client.get_experiment_by_name(title)
        self._experiment = known.experiment_id if known else self._client.create_experiment(title)
        self._runs: dict[str | None, str] = {}  # MLflow's ids
        self._open: set[str | None] = set()
        self._found: set[str | None] = set()  # of an earlier session
        self._run(None)

    def settings(self, training: str | None, values: Mapping[str, object]) -> None:
        """See Tracker; those of an earlier session stay, because MLflow lets nothing be changed."""
        from mlflow.entities import Param

        run = self._run(training)
        if training not in self._open:  # its worker died, and it begins again
            self._client.update_run(run, "RUNNING")
            self._open.add(training)
        if training not in self._found:
            params = [Param(name, str(value)[:LONGEST]) for name, value in values.items() if value is not None]
            self._client.log_batch(run, params=params)

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        """See Tracker."""
        from mlflow.entities import Metric

        now = round(time.time() * 1000)
        metrics = [Metric(name, value, now, step or 0) for name, value in values.items()]
        self._client.log_batch(self._run(training), metrics=metrics)

    def text(self, name: str, text: str) -> None:
        """See Tracker; the summary is the run's description."""
        tag = "mlflow.note.content" if name == "summary" else f"autokd.{name}"
        self._client.set_tag(self._run(None), tag, text[:LONGEST])

    def files(self, paths: Sequence[Path]) -> None:
        """See Tracker."""
        for path in paths:
            if path.is_dir():
                self._client.log_artifacts(self._run(None), str(path), path.name)
            else:
                self._client.log_artifact(self._run(None), str(path))

    def end(self, training: str | None, how: End) -> None:
        """See Tracker; trainings that the run leaves in the middle end with it."""
        for each in [*self._open] if training is None else {training} & self._open:
            self._client.set_terminated(self._runs[each], STATUS[how])
            self._open.remove(each)

    def _run(self, training: str | None) -> str:
        """The id of its MLflow run: known, of an earlier session, or new."""
        if training in self._runs:
            return self._runs[training]
        parent = None if training is None else self._run(None)
        mark = f"{self._id} {training or ''}".strip()
        found = None
        if training is None or None in self._found:
            query = f"tags.`{OURS}` = '{mark}'"
            found = next(iter(self._client.search_runs([self._experiment], query, max_results=1)), None)
        self._open.add(training)
        if found is not None:
            self._found.add(training)
            self._runs[training] = found.info.run_id
            self._client.update_run(found.info.run_id, "RUNNING")
        else:
            tags = {OURS: mark} | ({} if parent is None else {"mlflow.parentRunId": parent})
            made = self._client.create_run(self._experiment, run_name=training or self._name, tags=tags)
            self._runs[training] = made.info.run_id
        return self._runs[training]
