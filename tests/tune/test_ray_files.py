"""A cluster whose nodes do not share the controller's disk: files go out once, results come home."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fakes import Hearing
from helpers_images import settings
from safetensors.torch import save_file
from scripted import RecordingSource

from autokd.data.task import open_task, prepare_task
from autokd.errors import ChangedData
from autokd.records import Proposal, Recipe
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import prepare_teacher
from autokd.tune.engines.failures import failure_of
from autokd.tune.engines.protocol import Job
from autokd.tune.engines.ray_files import Mailbox, Shipment, ship
from autokd.tune.worker import TrainingFactory
from autokd.weights.published import without_head
from autokd.zoo.build import build


def test_data_that_changed_on_a_node_end_the_search() -> None:
    from autokd.tune.engines.ray import _SourceScheduler, _SourceSearcher

    source = RecordingSource([])
    searcher = _SourceSearcher(source)
    searcher.keys["trial"] = "job"
    scheduler = _SourceScheduler(source, searcher, None)
    told = {"told": ("failed", failure_of(ChangedData("the image x")).model_dump())}
    scheduler.on_trial_result(None, SimpleNamespace(trial_id="trial"), told)
    assert searcher.suggest("another") == searcher.FINISHED
    with pytest.raises(ChangedData, match="the image x"):
        searcher.raise_error()


def a_job(path: Path) -> Job:
    recipe = Recipe(learning_rate=1e-3, epochs=2, batch_size=30)
    proposal = Proposal(number=0, arm="direct", student="test_resnet", recipe=recipe)
    return Job(key="finalist-0", proposal=proposal, seed=1, folder=str(path / "finalists" / "0"), final=True)


def test_an_actor_that_cannot_be_set_up_says_why(tmp_path: Path) -> None:
    from autokd.tune.engines.ray import _Training

    def full(factory: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    actor = object.__new__(_Training)
    actor.setup({"job": a_job(tmp_path).model_dump()}, None, SimpleNamespace(unpacked=full), cpus=1.0)
    kind, content = actor.step()["told"]
    actor.cleanup()
    assert (kind, content["cause"], content["text"]) == ("failed", "machine", "the disk is full")


def test_an_actor_that_was_not_needed_leaves_the_files_of_the_one_that_was(tmp_path: Path) -> None:
    """Tune gives a job to a free actor and removes the one that it had begun to start for it."""
    from autokd.tune.engines.ray import _Training

    job, took = a_job(tmp_path), list[Job]()

    def open_desk(job: Job) -> Any:
        took.append(job)
        raise AssertionError("its files are another one's")

    here = SimpleNamespace(desk=open_desk, unpacked=lambda factory: nullcontext(factory))
    late = object.__new__(_Training)
    late.setup({"job": job.model_dump()}, lambda slot, cores: None, here, cpus=1.0)
    late.cleanup()
    late.reset_config({"job": job.model_dump()})
    late.cleanup()
    assert not took


class TestMailbox:
    def test_what_is_delivered_can_be_picked_up(self, tmp_path: Path) -> None:
        mailbox, folder = Mailbox(str(tmp_path)), str(tmp_path / "trials" / "3")
        assert mailbox.pick_up(folder) == {}
        mailbox.deliver(folder, {"checkpoint.pt": b"half", "history.csv": b"1"})
        assert mailbox.pick_up(folder) == {"checkpoint.pt": b"half"}
        mailbox.deliver(folder, {"history.csv": b"2", "result.json": b"{}"})
        assert mailbox.pick_up(folder) == {}, "a finished training leaves no checkpoint"
        assert (tmp_path / "trials" / "3" / "history.csv").read_bytes() == b"2"

    @pytest.mark.parametrize("folder", ["/elsewhere", "trials/../../elsewhere"])
    def test_nothing_is_written_outside_the_run_folder(self, tmp_path: Path, folder: str) -> None:
        with pytest.raises(ValueError, match="outside"):
            Mailbox(str(tmp_path)).deliver(str(tmp_path / folder), {"a": b""})

    def test_names_cannot_climb(self, tmp_path: Path) -> None:
        Mailbox(str(tmp_path)).deliver(str(tmp_path / "job"), {"../../evil": b""})
        assert [path.name for path in (tmp_path / "job").iterdir()] == ["evil"]


@pytest.mark.ray
@pytest.mark.slow
class TestTwoNodes:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _cluster(cls) -> Iterator[None]:
        import ray
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        ray.init(
            address=cluster.address,
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[1])}},
            log_to_driver=False,
        )
        yield
        ray.shutdown()
        cluster.shutdown()

    @pytest.fixture(scope="class")
    @classmethod
    def factory(cls, patterns: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingFactory:
        cache = tmp_path_factory.mktemp("cache")
        options = {"teacher_weights": "scratch", "teacher_epochs": 8, "batch_size": 16, "cache_dir": cache}
        config = settings(data=str(patterns), **options)
        folder = prepare_task(config, 32, Hearing())
        data = open_task(folder)
        teacher = prepare_teacher(config, data, "cpu", Hearing())
        labels = write_soft_labels(teacher, data, 2, 7, config.cache_dir, "cpu", Hearing())
        torch.manual_seed(11)
        start = cache / "students" / "start.safetensors"
        start.parent.mkdir()
        save_file(without_head(build("test_resnet", 3, 32)), start)
        return TrainingFactory(folder, labels, 7, "cpu", weights={"test_resnet": start})

    @pytest.fixture
    def blind(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Shipment]:
        """As if no worker saw the controller's disk; lists the shipments that were made."""
        made: list[Shipment] = []

        def ship_blindly(files: list[Path], home: Path) -> Shipment:
            made.append(replace(ship(files, home), witness="/nowhere/.witness"))
            return made[-1]

        monkeypatch.setattr("autokd.tune.engines.ray.ship", ship_blindly)
        return made

    def jobs(self, home: Path) -> list[Job]:
        recipe = Recipe(temperature=2.0, alpha=0.5, learning_rate=1e-3, epochs=2, batch_size=30)
        return [
            Job(
                key=f"finalist-{number}",
                proposal=Proposal(number=number, arm="distill", student="test_resnet", recipe=recipe),
                seed=1,
                folder=str(home / "finalists" / str(number)),
                final=True,
            )
            for number in range(2)
        ]

    def test_trainings_elsewhere_leave_the_same_as_at_home(
        self, factory: TrainingFactory, blind: list[Shipment], tmp_path: Path
    ) -> None:
        from autokd.tune.engines.local import LocalEngine
        from autokd.tune.engines.ray import RayEngine

        away, home = tmp_path / "away", tmp_path / "home"
        source = RecordingSource(self.jobs(away))
        RayEngine(home=away, workers=2).run(source, factory)
        assert not source.failed
        assert source.epochs == {"finalist-0": [1, 2], "finalist-1": [1, 2]}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # as many as a training has there; another number rounds otherwise
        LocalEngine().run(RecordingSource(self.jobs(home)), factory)
        torch.set_num_threads(threads)
        for number in ("0", "1"):
            names = {path.name for path in (away / "finalists" / number).iterdir()}
            assert names == {"history.csv", "val_logits.npy", "test_logits.npy", "weights.safetensors", "result.json"}
            there, here = (np.load(root / "finalists" / number / "test_logits.npy") for root in (away, home))
            assert np.allclose(there, here, atol=1e-3)

        (shipment,) = blind
        root = Path(tempfile.gettempdir()) / f"autokd-{shipment.label}"
        fetched = {path: path.stat().st_mtime_ns for path in root.rglob("*.npy") if "jobs" not in path.parts}
        assert fetched, "nothing was fetched"
        assert not list((root / "jobs").iterdir()), "checkpoints and weights pile up on the node"
        RayEngine(home=away, workers=1).run(RecordingSource(self.jobs(away)[:1]), factory)
        assert {path: path.stat().st_mtime_ns for path in fetched} == fetched, "a node fetched the files twice"
        shutil.rmtree(root)

    def test_one_shared_disk_ships_nothing_home(self, factory: TrainingFactory, tmp_path: Path) -> None:
        shipment = ship(factory.files(), tmp_path / "run")
        assert shipment.shared()
        assert shipment.desk(self.jobs(tmp_path / "run")[0]).job == self.jobs(tmp_path / "run")[0]
