"""One conformance suite for every engine: whatever places the trainings, the source hears the same."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import RecordingSource, ScriptedFactory, make_job

from autokd.config import SearchConfig
from autokd.errors import ConfigError, MachineError
from autokd.pipeline.services import Parts
from autokd.tune.engines.local import LocalEngine
from autokd.tune.engines.protocol import Engine, Job


class EngineContract:
    """What an engine owes its source; subclasses give the engine."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        raise AssertionError("a subclass gives the engine")

    def run(self, engine: Engine, source: RecordingSource) -> None:
        engine.run(source, ScriptedFactory())

    def test_every_job_is_done_once_and_reported_in_order(self, engine: Engine, tmp_path: Path) -> None:
        source = RecordingSource([make_job(f"job-{i}", tmp_path) for i in range(5)])
        self.run(engine, source)
        assert source.started == [f"job-{i}" for i in range(5)]
        assert source.epochs == {f"job-{i}": [1, 2, 3] for i in range(5)}
        assert set(source.finished) == set(source.jobs)
        assert source.finished["job-0"].val_accuracy == 0.5
        assert not source.failed

    def test_nothing_to_do(self, engine: Engine) -> None:
        source = RecordingSource([])
        self.run(engine, source)
        assert not source.started

    def test_a_pruned_job_ends_there_and_the_others_go_on(self, engine: Engine, tmp_path: Path) -> None:
        jobs = [make_job(f"job-{i}", tmp_path) for i in range(3)]
        source = RecordingSource(jobs, {("job-1", 2): "prune"})
        self.run(engine, source)
        assert source.epochs["job-1"] == [1, 2]
        assert set(source.finished) == {"job-0", "job-2"}
        assert (tmp_path / "job-1" / "trained.log").read_text().split() == ["1", "2"]

    def test_a_training_that_raises_fails_alone(self, engine: Engine, tmp_path: Path) -> None:
        jobs = [make_job("job-0", tmp_path), make_job("crash-1", tmp_path), make_job("job-2", tmp_path)]
        source = RecordingSource(jobs)
        self.run(engine, source)
        assert set(source.finished) == {"job-0", "job-2"}
        error, retry = source.failed["crash-1"]
        assert "ValueError: the student exploded" in error
        assert not retry

    def test_lost_files_end_the_run_and_fail_no_job(self, engine: Engine, tmp_path: Path) -> None:
        source = RecordingSource([make_job(name, tmp_path) for name in ("job-0", "lost-1", "job-2", "job-3")])
        with pytest.raises(MachineError, match=r"files could not be read or written \(FileNotFoundError.*resume=True"):
            self.run(engine, source)
        assert not source.failed
        assert "lost-1" not in source.finished

    def test_stop_ends_after_the_epoch_and_a_later_run_goes_on(self, engine: Engine, tmp_path: Path) -> None:
        jobs = [make_job(f"job-{i}", tmp_path) for i in range(4)]
        stopped = RecordingSource(jobs, {("job-0", 2): "stop"})
        self.run(engine, stopped)
        assert "job-0" not in stopped.finished
        again = RecordingSource([job for job in jobs if job.key not in stopped.finished])
        self.run(engine, again)
        assert set(again.finished) | set(stopped.finished) == {job.key for job in jobs}
        assert (tmp_path / "job-0" / "trained.log").read_text().split() == ["1", "2", "3"]

    def test_an_error_of_the_source_is_not_swallowed(self, engine: Engine, tmp_path: Path) -> None:
        class Broken(RecordingSource):
            def finish(self, key: str, outcome: object) -> None:
                raise OSError("the disk is full")

        with pytest.raises(OSError, match="the disk is full"):
            self.run(engine, Broken([make_job("job-0", tmp_path)]))


class SeparateProcesses(EngineContract):
    """Engines whose workers may die without taking the controller along."""

    def test_a_worker_that_dies_is_replaced_and_its_job_goes_on(self, engine: Engine, tmp_path: Path) -> None:
        jobs = [make_job("job-0", tmp_path), make_job("die-1", tmp_path), make_job("job-2", tmp_path)]
        source = RecordingSource(jobs)
        self.run(engine, source)
        assert set(source.finished) == {"job-0", "die-1", "job-2"}
        assert (tmp_path / "die-1" / "trained.log").read_text().split() == ["1", "2", "2", "3"]


class TestLocalEngine(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return LocalEngine()


class TestLocalEngineWithWorkers(SeparateProcesses):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return LocalEngine(workers=2)

    def test_jobs_run_side_by_side(self, tmp_path: Path) -> None:
        class Watching(RecordingSource):
            most = 0

            def next(self) -> Job | None:
                job = super().next()
                self.most = max(self.most, len(self.started) - len(self.finished))
                return job

        source = Watching([make_job(f"job-{i}", tmp_path) for i in range(4)])
        LocalEngine(workers=2).run(source, ScriptedFactory())
        assert source.most == 2


class TestFakeEngine(EngineContract):
    """The fake places nothing; with a scripted workshop in its hands it owes the source the same."""

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        from autokd.testing.fake_engine import FakeEngine

        return FakeEngine(ScriptedFactory())  # type: ignore[arg-type]


@pytest.mark.ray
@pytest.mark.slow
class TestRayEngine(SeparateProcesses):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _cluster(cls) -> Iterator[None]:
        import ray

        here = str(Path(__file__).parents[1])
        ray.init(num_cpus=2, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": here}})
        yield
        ray.shutdown()

    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        from autokd.tune.engines.ray import RayEngine

        return RayEngine(home=tmp_path, workers=2)


@pytest.mark.ray
def test_a_cluster_that_nobody_listens_for_is_refused_before_data_are_read() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"  # bound, and not listening
        config = SearchConfig.of(teacher="resnet18", max_cost=1.0, engine="ray", ray_address=address)
        with pytest.raises(ConfigError, match=f"no Ray cluster answers at {address}"):
            Parts().check(config)
