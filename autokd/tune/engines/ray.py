"""Trainings placed by Ray Tune, on this machine or on a cluster. The ledger stays with the controller.

Tune places, watches and retries; the source decides what to train and when to stop it. A resume is a new Tuner on
the recovered source: nothing of Tune's own state is read back.
"""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from autokd.errors import ConfigError
from autokd.machine import usable_cores
from autokd.naming import set_to
from autokd.records import EpochReport
from autokd.tune.engines.failures import Failure, describe, failure_of
from autokd.tune.engines.protocol import MAX_RETRIES, Job, JobSource, Outcome, WorkshopFactory
from autokd.tune.engines.ray_files import Desk, Shipment, ship

QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is the controller's: it ends trainings after their epoch
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}
PATIENCE = 5.0  # seconds for a cluster's address to answer


@dataclass(frozen=True)
class RayEngine:
    """See Engine.

    home: the run folder; address: of a running cluster, None for one that lives as long as this process; workers:
    trainings at a time; gpus: of each training, a fraction shares a GPU (bookkeeping only: it limits no memory).
    """

    home: Path
    workers: int
    gpus: float = 0.0
    address: str | None = None

    def run(self, source: JobSource, factory: WorkshopFactory) -> None:
        """See Engine; raises ConfigError where the cluster cannot be reached or has too little to offer."""
        connect(self.address, self.workers)
        cpus = self._cpus_per_training()
        shipment = ship(factory.files(), self.home)
        trainable = tune.with_parameters(_Training, factory=factory, shipment=shipment, cpus=cpus)
        searcher = _SourceSearcher(source)
        with tempfile.TemporaryDirectory(prefix="autokd-tune-") as scratch:
            tuner = tune.Tuner(
                tune.with_resources(trainable, {"cpu": cpus, "gpu": self.gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    scheduler=_SourceScheduler(source, searcher, shipment),
                    num_samples=-1,
                    max_concurrent_trials=self.workers,
                    reuse_actors=True,
                    trial_dirname_creator=_short_name,
                ),
                run_config=tune.RunConfig(
                    storage_path=scratch,
                    verbose=0,
                    failure_config=tune.FailureConfig(max_failures=MAX_RETRIES),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                ),
            )
            tuner.fit()
        Path(shipment.witness).unlink(missing_ok=True)
        searcher.raise_error()

    def _cpus_per_training(self) -> float:
        offered = ray.cluster_resources()
        if self.gpus > offered.get("GPU", 0):
            raise ConfigError(
                f"{set_to('gpus_per_trial', self.gpus)} is more than the {offered.get('GPU', 0):g} GPUs "
                "of the Ray cluster; ask for less, or 0"
            )
        largest = max(node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"])
        return float(max(1.0, min(largest, offered.get("CPU", 1) // self.workers)))


def connect(address: str | None, workers: int) -> None:
    """To the cluster at that address, or to one of this process; raises ConfigError where none answers."""
    os.environ.update(QUIET)
    for name in ("ray", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    resources = {} if address else {"num_cpus": max(usable_cores(), workers), "include_dashboard": False}
    try:
        _knock(address or "")
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **resources)
    except (OSError, RuntimeError, ValueError) as error:
        where = address or "this machine"
        raise ConfigError(f"no Ray cluster answers at {where} ({describe(error)}); start one there") from None


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()


def _short_name(trial: Any) -> str:
    return str(trial.trial_id)


class _Training(tune.Trainable):  # type: ignore[misc]
    """One job in one actor: a step is an epoch; an actor serves job after job."""

    _begun: tuple[Desk, Generator[EpochReport | Outcome]] | None

    def setup(self, config: dict[str, Any], factory: WorkshopFactory, shipment: Shipment, cpus: float) -> None:
        """`cpus` of this node are the training's: threads and decoding processes follow from that share."""
        self._refusal: Failure | None = None  # why nothing can be trained here
        try:
            with shipment.unpacked(factory) as local:
                self._workshop = local(0, max(1, int(usable_cores() // cpus)))
        except Exception as error:  # noqa: BLE001 - raised here, Tune would try again and keep the cause to itself
            self._refusal = failure_of(error).model_copy(update={"cause": "machine"})
        self._shipment = shipment
        self._await(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.cleanup()
        self._await(new_config)
        return True

    def step(self) -> dict[str, Any]:
        if self._refusal is not None:
            return {"told": ("failed", self._refusal.model_dump())}
        try:
            if self._begun is None:
                desk = self._shipment.desk(self._job)
                self._begun = desk, self._workshop.do(desk.job)
            desk, training = self._begun
            told = next(training)
            desk.hand_in()
        except Exception as error:  # noqa: BLE001 - what it means is told by its class
            cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            return {"told": ("failed", failure_of(cause).model_dump())}
        if isinstance(told, Outcome):
            return {"told": ("outcome", told.model_dump())}
        return {"told": ("epoch", told.model_dump())}

    def cleanup(self) -> None:
        if self._begun is not None:
            desk, training = self._begun
            training.close()
            desk.leave()

    def _await(self, config: dict[str, Any]) -> None:
        """The job begins with its first step: Tune may give it to an actor that is free before this one has started."""
        self._job = Job.model_validate(config["job"])
        self._begun = None


class _StaysHere:
    """Tune writes its searcher and scheduler to disk for a restore that is never asked for: nothing of them travels."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _SourceSearcher(_StaysHere, Searcher):  # type: ignore[misc]
    """Hands Tune the source's jobs; keeps the first error of the source, which Tune would hide."""

    def __init__(self, source: JobSource) -> None:
        super().__init__(metric=None, mode=None)
        self._source = source
        self.keys: dict[str, str] = {}  # Tune's trial id -> job key
        self._error: Exception | None = None

    def suggest(self, trial_id: str) -> Any:
        if self._error is not None:
            return Searcher.FINISHED
        try:
            job = self._source.next()
        except Exception as error:  # noqa: BLE001 - raised again when Tune has ended
            self._error = error
            return Searcher.FINISHED
        if job is None:
            return Searcher.FINISHED
        self.keys[trial_id] = job.key
        return {"job": job.model_dump()}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:  # noqa: ARG002
        """Tune has given a trial up; only final errors arrive here, its own retries do not."""
        key = self.keys.pop(trial_id, None)
        if error and key is not None and not self.failed:
            failure = Failure(cause="worker", text=f"its worker died {MAX_RETRIES + 1} times")
            try:
                self._source.fail(key, failure, retry=False)
            except Exception as met:  # noqa: BLE001 - raised again when Tune has ended
                self.remember(met)

    @property
    def failed(self) -> bool:
        """Whether an error waits for Tune's end."""
        return self._error is not None

    def raise_error(self) -> None:
        """Raise what `suggest` or the scheduler met."""
        if self._error is not None:
            raise self._error

    def remember(self, error: Exception) -> None:
        """Keep an error until Tune has ended."""
        self._error = self._error or error

    def save(self, checkpoint_path: str) -> None:
        """Tune saves nothing: the ledger is the record."""

    def restore(self, checkpoint_path: str) -> None:
        """See save."""


class _SourceScheduler(_StaysHere, FIFOScheduler):  # type: ignore[misc]
    """Passes every epoch on to the source and does what it orders."""

    def __init__(self, source: JobSource, searcher: _SourceSearcher, shipment: Shipment) -> None:
        super().__init__()
        self._source, self._searcher, self._shipment = source, searcher, shipment

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:  # noqa: ARG002
        key = self._searcher.keys.get(trial.trial_id)
        if key is None or "told" not in result:
            return TrialScheduler.CONTINUE  # type: ignore[no-any-return]
        if self._searcher.failed:
            return TrialScheduler.STOP  # type: ignore[no-any-return]
        try:
            kind, content = result["told"]
            return self._pass_on(key, kind, content, trial.trial_id)
        except Exception as error:  # noqa: BLE001 - raised again when Tune has ended
            self._searcher.remember(error)
            return TrialScheduler.STOP  # type: ignore[no-any-return]

    def _pass_on(self, key: str, kind: str, content: Any, trial_id: str) -> str:
        if kind == "epoch":
            if self._source.report(key, EpochReport.model_validate(content)) == "go":
                return TrialScheduler.CONTINUE  # type: ignore[no-any-return]
        elif kind == "outcome":
            self._source.finish(key, Outcome.model_validate(content))
        else:
            failure = Failure.model_validate(content)
            failure.check_machine()
            self._source.fail(key, failure, retry=False)
        del self._searcher.keys[trial_id]
        return TrialScheduler.STOP  # type: ignore[no-any-return]
