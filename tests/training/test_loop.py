"""The training loop: it learns, it is repeatable, and it goes on after an interruption as if there had been none."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from helpers_images import small_task
from torch import nn

import autokd.training.checkpoint
from autokd.data.views import make_view, normalise
from autokd.errors import TrainingError
from autokd.records import EpochReport, Recipe
from autokd.training.checkpoint import State, load_checkpoint, save_checkpoint
from autokd.training.loop import Training, train
from autokd.zoo.build import build, normalisation

DATA = small_task()
PLAIN = ((0.0,) * 3, (1.0,) * 3)


class FixedLogits:
    """Soft labels made of the labels: 4 for the right class, 0 else; remembers what was asked."""

    def __init__(self, value: float = 4.0) -> None:
        self.asked: list[tuple[int, list[int]]] = []
        self._value = value

    def logits(self, view, positions, images):
        """See TeacherLogits."""
        self.asked.append((view, positions.tolist()))
        labels = torch.from_numpy(DATA.labels[DATA.train[positions]])
        return (nn.functional.one_hot(labels, 3) * self._value).half()


def training(path: Path | None = None, name: str = "test_resnet", epochs: int = 4, **changes) -> Training:
    """A short training; `seed` sets the model's initial weights too, as the workshop does."""
    recipe = Recipe(learning_rate=3e-3, epochs=epochs, batch_size=16, alpha=0.5, temperature=2.0)
    recipe = recipe.model_copy(update={k: changes.pop(k) for k in list(changes) if k in Recipe.model_fields})
    torch.manual_seed(changes.get("seed", 0))
    # dropout, so that random numbers inside the model count
    model = timm.create_model(name, num_classes=3, drop_rate=0.2, **({"img_size": 32} if "vit" in name else {}))
    made = Training(
        data=DATA,
        model=model,
        normalisation=normalisation(model),
        recipe=recipe,
        seed=0,
        views_seed=3,
        device="cpu",
        teacher=FixedLogits(),
        checkpoint=path,
    )
    return dataclasses.replace(made, **changes)


def untimed(reports: list[EpochReport]) -> list[dict]:
    return [report.model_dump(exclude={"seconds", "restored"}) for report in reports]


def same_weights(first: Training, second: Training) -> bool:
    a, b = first.model.state_dict(), second.model.state_dict()
    return all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_a_tiny_model_learns(alpha):
    made = training(epochs=8, alpha=alpha)
    reports = list(train(made))
    assert [report.epoch for report in reports] == list(range(1, 9))
    assert reports[-1].train_loss < reports[0].train_loss
    assert reports[-1].val_accuracy > 0.9
    assert all(report.seconds > 0 for report in reports)
    assert reports[-1].learning_rate < 0.1 * reports[1].learning_rate


def test_the_teacher_is_asked_for_the_view_and_the_images_of_every_batch():
    teacher = FixedLogits()
    list(train(training(teacher=teacher, epochs=2)))
    assert [view for view, _ in teacher.asked] == [0, 0, 0, 1, 1, 1]
    first, second = ([i for v, asked in teacher.asked if v == view for i in asked] for view in (0, 1))
    assert len(set(first)) == len(first) == 48
    assert first != second


def test_the_direct_arm_never_asks_the_teacher():
    teacher = FixedLogits()
    list(train(training(teacher=teacher, alpha=0.0, epochs=1)))
    assert teacher.asked == []
    list(train(training(teacher=None, alpha=0.0, epochs=1)))


def test_the_student_sees_the_view_that_the_teacher_has_labelled():
    seen: list[torch.Tensor] = []

    class Watching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 3)

        def forward(self, images):
            if self.training:
                seen.append(images.detach().clone())
            return self.head(images.mean((2, 3)))

    stats = ((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))
    teacher = FixedLogits()
    list(train(training(model=Watching(), normalisation=stats, teacher=teacher, epochs=2)))
    for images, (view, positions) in zip(seen, teacher.asked, strict=True):
        indices = DATA.train[np.array(positions)]
        expected = make_view(DATA.images.take(indices), indices, DATA.task.transform, 3, view)
        assert torch.equal(images, normalise(expected, *stats))


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_one_seed_one_result_another_seed_another(name):
    runs = [training(name=name, seed=seed, epochs=2) for seed in (7, 7, 8)]
    reports = []
    for run in runs:
        torch.manual_seed(len(reports))  # whatever the process drew before
        reports.append(untimed(list(train(run))))
    assert reports[0] == reports[1] != reports[2]
    assert same_weights(runs[0], runs[1])
    assert not same_weights(runs[0], runs[2])


def test_random_numbers_drawn_between_epochs_change_nothing():
    alone, disturbed = training(epochs=2), training(epochs=2)
    reports = untimed(list(train(alone)))
    again = []
    for report in train(disturbed):
        again.append(report)
        torch.rand(5)
        torch.manual_seed(99)
    assert untimed(again) == reports
    assert same_weights(alone, disturbed)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_training_goes_on_as_if_nothing_had_happened(tmp_path, name, stop_after):
    whole = training(name=name)
    expected = untimed(list(train(whole)))

    path = tmp_path / "made" / "checkpoint.pt"
    first = train(training(path, name=name))
    before = [next(first) for _ in range(stop_after)]
    first.close()
    teacher = FixedLogits()
    second = training(path, name=name, seed=0, teacher=teacher)
    after = list(train(second))

    told = [report.model_copy(update={"restored": True}) for report in before]
    assert after[:stop_after] == told  # seconds and all: told again, not trained again
    assert untimed(after) == expected
    assert len(teacher.asked) == 3 * (4 - stop_after)
    assert same_weights(second, whole)


def test_stopping_in_the_middle_of_an_epoch_loses_that_epoch_only(tmp_path):
    class Killed(FixedLogits):
        def logits(self, view, positions, images):
            if len(self.asked) == 5:
                raise KeyboardInterrupt
            return super().logits(view, positions, images)

    path = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        list(train(training(path, teacher=Killed())))
    resumed, whole = training(path), training()
    assert untimed(list(train(resumed))) == untimed(list(train(whole)))
    assert same_weights(resumed, whole)


def test_few_images_make_one_batch_of_all():
    few = dataclasses.replace(DATA, train=DATA.train[:9])
    teacher = FixedLogits()
    list(train(training(data=few, teacher=teacher, epochs=1)))
    assert [len(asked) for _, asked in teacher.asked] == [9]


@pytest.mark.parametrize("cause", [{"learning_rate": 1e30}, {"teacher": FixedLogits(math.nan)}])
def test_a_loss_that_is_not_finite_ends_the_training(cause):
    with pytest.raises(TrainingError, match=r"no longer finite in epoch [12] \(learning rate"):
        list(train(training(**cause)))


def test_no_weight_decay_on_biases_and_norms():
    still = Recipe(learning_rate=1e-12, weight_decay=1e11, epochs=1, batch_size=16)
    made = training(recipe=still, teacher=None)
    before = {key: value.clone() for key, value in made.model.named_parameters()}
    list(train(made))
    for key, value in made.model.named_parameters():
        shrunk = value.norm() < 0.9 * before[key].norm()
        assert bool(shrunk) is (value.ndim > 1), key


# ---- checkpoints ------------------------------------------------------------------------------------------------


def checkpointed(path: Path) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = build("test_resnet", 3, 32)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    save_checkpoint(path, State(model, optimizer))
    return model, optimizer


def test_a_crash_while_saving_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    model, optimizer = checkpointed(path)
    before = path.read_bytes()

    def crash(content, file):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(autokd.training.checkpoint.torch, "save", crash)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(path, State(model, optimizer))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_without_a_checkpoint_there_is_no_history(tmp_path):
    model = build("test_resnet", 3, 32)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = State(model, torch.optim.AdamW(model.parameters()))
    load_checkpoint(tmp_path / "none.pt", state, "cpu")
    assert state.history == []
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_checkpoint_brings_back_model_and_optimizer(tmp_path):
    path = tmp_path / "checkpoint.pt"
    model, optimizer = checkpointed(path)
    other = build("test_resnet", 3, 32)
    restored = torch.optim.AdamW(other.parameters())
    load_checkpoint(path, State(other, restored), "cpu")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
    for ours, theirs in zip(optimizer.state.values(), restored.state.values(), strict=True):
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_checkpoint_begins_the_training_again(tmp_path, share):
    path = tmp_path / "checkpoint.pt"
    checkpointed(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    model = build("test_resnet", 3, 32)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = State(model, torch.optim.AdamW(model.parameters()))
    load_checkpoint(path, state, "cpu")
    assert state.history == []
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not path.exists()
