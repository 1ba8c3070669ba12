"""Models that are used as they are published: which become finalists, and that nothing is trained of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers_images import one_thread, write_pattern_folder
from safetensors.torch import load_file, save_file
from test_finalists import SPACE, by_role, trial
from test_memory_splits import report

from autokd.config import SearchConfig
from autokd.data.task import open_task, prepare_task
from autokd.errors import MachineError
from autokd.progress import Silent
from autokd.records import Candidate, Interval, Proposal, Reading, Recipe, SeedResult, StartWeights
from autokd.runs.arrays import write_evidence, write_logits
from autokd.runs.folder import Run
from autokd.runs.store import RESULT
from autokd.training import loop
from autokd.training.evaluate import accuracy, predict
from autokd.tune import worker
from autokd.tune.engines.failures import Failure
from autokd.tune.engines.local import LocalEngine
from autokd.tune.engines.protocol import Job, Outcome
from autokd.tune.finalist_trainings import FinalistSource, collect
from autokd.tune.finalists import Finalist, choose_finalists
from autokd.tune.memory_splits import BatchParts
from autokd.tune.published_models import AS_IT_IS, PublishedSource
from autokd.tune.seed_plan import from_seeds
from autokd.tune.worker import TrainingFactory
from autokd.weights.published import without_head
from autokd.weights.start import Supply, weights_path
from autokd.zoo.build import build, normalisation


def candidate(student: str, as_is: bool | None, cost: float = 1.0, arms: tuple[str, ...] = ("direct",)) -> Candidate:
    interval = Interval(mean=cost, low=cost, high=cost)
    reading = Reading(
        model=student, capacity_rps=1, latency_ms=None, cost_usd_per_1k=interval, noisy=False, batch_size=1, rounds=1
    )
    weights = None if as_is is None else StartWeights(source="in1k", fingerprint="f", key=student, as_is=as_is)
    content = {"student": student, "family": "f", "parameters": 10, "ratio": 8.0, "macs": 5, "arms": arms}
    return Candidate.model_validate({**content, "reading": reading, "weights": weights})


def answers(source: PublishedSource, found: dict[str, float | str]) -> None:
    while (job := source.next()) is not None:
        value = found[job.proposal.student]
        if isinstance(value, str):
            source.fail(job.key, Failure(cause="other", text=value), retry=False)
        else:
            source.finish(job.key, Outcome(epochs=0, val_accuracy=value, test_accuracy=None, seconds=0.0))


def test_one_whose_worker_died_is_tried_again_and_where_none_works_it_is_said(tmp_path: Path) -> None:
    source = PublishedSource(Run(tmp_path), [candidate("own", True)])
    for _ in range(3):
        job = source.next()
        assert job is not None
        source.fail(job.key, Failure(cause="worker", text="it died"), retry=True)
    assert source.next() is None
    with pytest.raises(MachineError, match=r"none of the published models could be evaluated \(first: it died\)"):
        source.check()


# ---- which they are ---------------------------------------------------------------------------------------------


def test_only_direct_candidates_of_the_tasks_own_classes_are_evaluated(tmp_path: Path) -> None:
    listed = [
        candidate("own", True),
        candidate("body only", False),
        candidate("random", None),
        candidate("too small", True, arms=("distill",)),
        candidate("broken", True),
    ]
    source = PublishedSource(Run(tmp_path), listed)
    assert source.total == 2
    answers(source, {"own": 0.7, "broken": "ValueError: it cannot"})
    own, broken = source.records()
    assert (own.student, own.state, own.val_accuracy, own.recipe) == ("own", "complete", 0.7, AS_IT_IS)
    assert (broken.student, broken.state, broken.error) == ("broken", "failed", "ValueError: it cannot")


def test_nothing_is_begun_once_it_is_to_stop(tmp_path: Path) -> None:
    assert PublishedSource(Run(tmp_path), [candidate("own", True)], stop=lambda: True).next() is None


def test_the_front_of_them_becomes_direct_finalists(tmp_path: Path) -> None:
    costs = {"best": 3.0, "expensive and worse": 4.0, "cheap": 1.0, "middle": 2.0}
    source = PublishedSource(Run(tmp_path), [candidate(name, True, cost) for name, cost in costs.items()])
    answers(source, {"best": 0.8, "expensive and worse": 0.7, "cheap": 0.5, "middle": 0.6})
    trials = [trial(0, "distill", "a", 0.95, 2.0), trial(1, "direct", "best", 0.94, 2.0)]
    finalists = choose_finalists(trials, SPACE, 2, 0.0, source.records())
    published = by_role(finalists, "direct", "published")
    assert [f.proposal.student for f in published] == ["best", "cheap"]
    assert {f.proposal.recipe for f in published} == {AS_IT_IS}
    assert [f.proposal.number for f in finalists] == list(range(len(finalists)))
    assert by_role(finalists, "direct", "pick")[0].proposal.student == "best", "training it is another finalist"
    assert not any(f.twin_of for f in published)


# ---- the confirmation -------------------------------------------------------------------------------------------


def finalist(number: int, student: str, recipe: Recipe = AS_IT_IS) -> Finalist:
    proposal = Proposal(number=number, arm="direct", student=student, recipe=recipe)
    return Finalist(proposal=proposal, role="pick" if recipe.epochs else "published", trial=None)


def finish(source: FinalistSource, job: Job, parts: int = 1) -> None:
    result = SeedResult(seed=job.seed, val_accuracy=0.5, test_accuracy=1.0, device_seconds=0, accumulate=parts)
    folder = Path(job.folder)
    RESULT.write(folder, result)
    for part in ("test", "val"):
        write_logits(folder, part, np.eye(2))
    source.finish(job.key, Outcome(epochs=0, val_accuracy=0.5, test_accuracy=0.5, seconds=0.0))


def test_it_is_evaluated_once_and_one_result_is_all_there_is(tmp_path: Path) -> None:
    run, trained = Run(tmp_path), Recipe(learning_rate=1e-3, epochs=2, batch_size=8)
    labels = np.arange(2)
    write_evidence(tmp_path, {"test_labels": labels, "val_labels": labels, "teacher_test_logits": np.eye(2)})
    finalists = [finalist(0, "known"), finalist(1, "known", trained)]
    plan = from_seeds(finalists, [7, 8, 9])
    source = FinalistSource(run, finalists, plan)
    assert source.total == 4
    keys = []
    while (job := source.next()) is not None:
        keys.append(job.key)
        finish(source, job)
    assert keys == ["finalist-0-7", "finalist-1-7", "finalist-1-8", "finalist-1-9"]
    records = collect(run, finalists, plan, {"known": candidate("known", True)})
    assert [[s.seed for s in record.seeds] for record in records] == [[7], [7, 8, 9]]
    assert [record.weights.source if record.weights else None for record in records] == ["in1k", "in1k"]


def test_batches_in_parts_do_not_evaluate_it_again(tmp_path: Path) -> None:
    """What is not trained has no batches; a training of the same student that needs parts changes nothing."""
    trained = Recipe(learning_rate=1e-3, epochs=2, batch_size=8)
    finalists = [finalist(0, "known"), finalist(1, "known", trained)]
    source = FinalistSource(Run(tmp_path), finalists, from_seeds(finalists, [7]))
    first, second = source.next(), source.next()
    assert first and second
    finish(source, first)
    source.report(second.key, report(1, parts=2))
    finish(source, second, parts=2)
    assert BatchParts(Run(tmp_path)).of("known") == 2
    assert not source.waiting


# ---- the workshop -----------------------------------------------------------------------------------------------

CLASSES = {"a": 12, "b": 12, "c": 12}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a task of three patterns at 32 px."""
    root = tmp_path_factory.mktemp("task")
    data = write_pattern_folder(root / "data", dict.fromkeys(("train", "val", "test"), CLASSES))
    config = SearchConfig.of(
        teacher="test_resnet", max_cost=1, data=str(data), image_size=32, cache_dir=root / "cache", loader_workers=0
    )
    return prepare_task(config, 160, Silent())


@pytest.fixture
def factory(place: Path, tmp_path: Path) -> TrainingFactory:
    """Students start from weights of the task's own classes."""
    torch.manual_seed(11)
    state = {key: tensor.contiguous() for key, tensor in build("test_resnet", 3, 32).state_dict().items()}
    (tmp_path / "given").mkdir()
    save_file(state, tmp_path / "given" / "test_resnet.safetensors", metadata={"label_names": '["a", "b", "c"]'})
    task = open_task(place).task
    weights = Supply(str(tmp_path / "given")).fetch("test_resnet", task, tmp_path / "cache")
    assert weights.as_is
    return TrainingFactory(place, None, 3, "cpu", weights={"test_resnet": weights_path(tmp_path / "cache", weights)})


class Jobs:
    """Hands out jobs and keeps their outcomes."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs, self.outcomes, self.errors = list(jobs), {}, []

    def next(self) -> Job | None:
        return self.jobs.pop(0) if self.jobs else None

    def report(self, key, report) -> str:
        return "go"

    def finish(self, key, outcome) -> None:
        self.outcomes[key] = outcome

    def fail(self, key, failure, retry) -> bool:
        self.errors.append(failure.text)
        return False


def job(folder: Path, key: str, recipe: Recipe, arm: str = "direct", seed: int = 5, final: bool = False) -> Job:
    proposal = Proposal(number=0, arm=arm, student="test_resnet", recipe=recipe)  # type: ignore[arg-type]
    return Job(key=key, proposal=proposal, seed=seed, folder=str(folder / key), final=final)


def test_a_model_is_evaluated_with_its_own_weights(factory: TrainingFactory, tmp_path: Path) -> None:
    jobs = Jobs([job(tmp_path, "look", AS_IT_IS), job(tmp_path, "final", AS_IT_IS, seed=9, final=True)])
    with one_thread():
        LocalEngine().run(jobs, factory)
    assert not jobs.errors
    assert not (tmp_path / "look").exists(), "validation alone leaves nothing"
    data, model = open_task(factory.task_folder), build("test_resnet", 3, 32)
    model.load_state_dict(load_file(str(factory.weights["test_resnet"])))
    expected = {
        part: predict(model, data, getattr(data, part), normalisation(model), "cpu") for part in ("val", "test")
    }
    for key in ("look", "final"):
        assert jobs.outcomes[key].val_accuracy == accuracy(expected["val"], data.labels[data.val])
        assert (jobs.outcomes[key].epochs, jobs.outcomes[key].seconds) == (0, 0.0)
    stored = np.load(tmp_path / "final" / "test_logits.npy")
    assert np.allclose(stored, expected["test"].numpy(), atol=1e-4)
    kept = load_file(str(tmp_path / "final" / "weights.safetensors"))
    assert all(torch.equal(tensor, kept[key]) for key, tensor in model.state_dict().items())
    result = SeedResult.model_validate_json((tmp_path / "final" / "result.json").read_text())
    assert (
        result.test_accuracy
        == accuracy(expected["test"], data.labels[data.test])
        == jobs.outcomes["final"].test_accuracy
    )


def test_both_arms_start_from_the_weights_and_from_one_head(
    factory: TrainingFactory, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head does not fit here, so each training draws it from its seed."""
    body = load_file(str(factory.weights["test_resnet"]))
    headless = {key: body[key] for key in without_head(build("test_resnet", 3, 32))}
    save_file(headless, tmp_path / "body.safetensors")
    factory = TrainingFactory(place, None, 3, "cpu", weights={"test_resnet": tmp_path / "body.safetensors"})
    begun: list[dict[str, torch.Tensor]] = []

    def train(training: loop.Training):
        begun.append({key: tensor.clone() for key, tensor in training.model.state_dict().items()})
        return loop.train(training)

    monkeypatch.setattr(worker, "train", train)
    plain = Recipe(learning_rate=1e-3, epochs=1, batch_size=12)
    other = plain.model_copy(update={"learning_rate": 2e-3, "mixup": 0.2})
    jobs = Jobs(
        [
            job(tmp_path, "direct", plain),
            job(tmp_path, "other arm", other, "distill"),
            job(tmp_path, "another seed", plain, seed=6),
        ]
    )
    with one_thread():
        LocalEngine().run(jobs, factory)
    assert not jobs.errors
    first, second, third = begun
    assert all(torch.equal(first[key], tensor) for key, tensor in headless.items())
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(torch.equal(first[key], third[key]) for key in headless)
    assert not torch.equal(first["fc.weight"], third["fc.weight"])


def test_weights_that_have_gone_end_a_training_with_a_sentence(factory: TrainingFactory, tmp_path: Path) -> None:
    factory.weights["test_resnet"].unlink()
    jobs = Jobs([job(tmp_path, "direct", AS_IT_IS)])
    LocalEngine().run(jobs, factory)
    (error,) = jobs.errors
    assert "the weights to start from in" in error


def test_they_travel_with_the_other_files(factory: TrainingFactory) -> None:
    path = factory.weights["test_resnet"]
    assert path in factory.files()
    moved = factory.moved(Path("/elsewhere"))
    assert moved.weights == {"test_resnet": Path("/elsewhere") / path.resolve().relative_to("/")}
    assert json.loads((path.parent / "start.json").read_text())["content"]["student"] == "test_resnet"
