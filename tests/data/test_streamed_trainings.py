"""Trainings on streamed images: the same reports and weights as on resident ones, and no process left behind."""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path

import pytest
import timm
import torch
from helpers_images import one_thread, prepared, settings, write_pattern_folder

from autokd.data.streaming import StreamedImages
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.errors import TrainingError
from autokd.progress import Silent
from autokd.records import EpochReport, Proposal, Recipe
from autokd.training.loop import Training, train
from autokd.tune.engines.local import LocalEngine
from autokd.tune.engines.protocol import Job, Order, Outcome
from autokd.tune.worker import TrainingFactory
from autokd.zoo.build import normalisation

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")
RECIPE = Recipe(learning_rate=3e-3, epochs=3, batch_size=40)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_pattern_folder(tmp_path_factory.mktemp("images"), {"": {"a": 60, "b": 60, "c": 60}})


def config(folder: Path, **options):
    return settings(data=str(folder), **options)


def training(data: TaskData, checkpoint: Path | None = None) -> Training:
    """A short training whose model draws random numbers of its own."""
    torch.manual_seed(1)
    model = timm.create_model("test_resnet", num_classes=3, drop_rate=0.2)
    return Training(
        data=data,
        model=model,
        normalisation=normalisation(model),
        recipe=RECIPE,
        seed=1,
        views_seed=3,
        device="cpu",
        checkpoint=checkpoint,
    )


def outcome(made: Training) -> tuple[list[dict], dict[str, torch.Tensor]]:
    reports = [report.model_dump(exclude={"seconds", "restored"}) for report in train(made)]
    return reports, made.model.state_dict()


def assert_equal(given, expected) -> None:
    assert given[0] == expected[0]
    assert all(torch.equal(value, given[1][name]) for name, value in expected[1].items())


def streamed(folder: Path, workers: int) -> TaskData:
    data = open_task(prepare_task(config(folder, resident_gb=1e-9), 160, Silent()), "cpu", workers)
    assert isinstance(data.images, StreamedImages)
    return data


def test_streamed_trainings_are_resident_ones_whatever_the_number_of_processes(folder):
    expected = outcome(training(prepared(config(folder))))
    for workers in (0, 1, 4):
        assert_equal(outcome(training(streamed(folder, workers))), expected)


def test_a_streamed_training_goes_on_from_its_checkpoint(folder, tmp_path):
    expected = outcome(training(prepared(config(folder))))
    data = streamed(folder, 1)
    first = train(training(data, tmp_path / "checkpoint.pt"))
    next(first)
    next(first)
    first.close()
    assert_equal(outcome(training(data, tmp_path / "checkpoint.pt")), expected)


def test_a_training_that_fails_half_way_leaves_the_store_usable(folder):
    data = streamed(folder, 2)
    diverging = dataclasses.replace(training(data), recipe=RECIPE.model_copy(update={"learning_rate": 1e30}))
    with pytest.raises(TrainingError):
        list(train(diverging))
    assert_equal(outcome(training(data)), outcome(training(prepared(config(folder)))))


class Source:
    """Two jobs; the first is pruned after an epoch where `prune` says so."""

    def __init__(self, folder: Path, prune: bool) -> None:
        self.waiting = [job(folder, number) for number in range(2)]
        self.prune, self.reports, self.outcomes = prune, {"0": [], "1": []}, {}
        self.seen: list[set[int]] = []

    def next(self) -> Job | None:
        return self.waiting.pop(0) if self.waiting else None

    def report(self, key: str, report: EpochReport) -> Order:
        self.reports[key].append(report.model_dump(exclude={"seconds", "restored"}))
        self.seen.append(workers())
        return "prune" if self.prune and key == "0" else "go"

    def finish(self, key: str, outcome: Outcome) -> None:
        self.outcomes[key] = outcome.model_dump(exclude={"seconds"})

    def fail(self, key: str, error: str, retry: bool) -> bool:
        raise AssertionError(error)


def job(folder: Path, number: int) -> Job:
    proposal = Proposal(number=number, arm="direct", student="test_resnet", recipe=RECIPE)
    place = folder / str(number)
    place.mkdir(parents=True)
    return Job(key=str(number), proposal=proposal, seed=number, folder=str(place), final=False)


def workers() -> set[int]:
    """Living processes that the fork server of this one has begun, and those that they have begun."""
    parents: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
    found, below = set[int](), {forkserver._forkserver._forkserver_pid}  # type: ignore[attr-defined]
    while below := {process for process, parent in parents.items() if parent in below}:
        found |= below
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed in /proc")
def test_local_workers_train_on_streamed_images_and_no_process_survives(folder, tmp_path):
    expected = Source(tmp_path / "resident", prune=False)
    place = prepare_task(config(folder), 160, Silent())
    LocalEngine(1).run(expected, TrainingFactory(place, None, 3, "cpu"))
    place = prepare_task(config(folder, resident_gb=1e-9), 160, Silent())
    source = Source(tmp_path / "streamed", prune=True)
    LocalEngine(2).run(source, TrainingFactory(place, None, 3, "cpu", loader_workers=1))
    assert max(map(len, source.seen)) == 4, "two trainings, each with a process that decodes"
    assert source.reports["1"] == expected.reports["1"]
    assert source.reports["0"] == expected.reports["0"][:1]
    assert source.outcomes == {"1": expected.outcomes["1"]}
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{process}").exists() for process in set().union(*source.seen)):
        assert time.monotonic() < deadline, "a process has survived"
        time.sleep(0.1)
