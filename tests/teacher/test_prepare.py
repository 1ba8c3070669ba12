"""A teacher ready for use: trained once and kept, resumed, loaded from a file, or given as a module."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import pytest
import torch
from helpers_images import Recorder, prepared
from helpers_teachers import Oracle
from safetensors.torch import save_file
from torch import nn

import autokd.training.loop
from autokd.config import SearchConfig
from autokd.data.task import TaskData
from autokd.errors import ConfigError, TeacherError, UsageError
from autokd.progress import Silent
from autokd.teacher import train, trained_here
from autokd.teacher.origin import teacher_is_given
from autokd.teacher.prepare import ReadyTeacher, input_size, prepare_teacher
from autokd.teacher.trained_here import normalisation_of, teacher_epochs
from autokd.training.evaluate import accuracy
from autokd.weights.loading import read_state
from autokd.zoo.build import build


def kept(config: SearchConfig) -> list[str]:
    """Files of kept teachers."""
    return sorted(path.name for path in (config.cache_dir / "teachers").glob("*/[!.]*"))


def prepare(config: SearchConfig, data: TaskData, listener=None, given: nn.Module | None = None) -> ReadyTeacher:
    return prepare_teacher(config.sized(len(data.train)), data, "cpu", listener or Silent(), given)


class Stop(Silent):
    """Stops at the n-th report of progress."""

    def __init__(self, after: int) -> None:
        self.after = after

    def advance(self, *_):
        """Count down."""
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


# ---- from scratch -----------------------------------------------------------------------------------------------


def test_a_teacher_is_trained_once_and_then_reused(config, data, monkeypatch):
    monkeypatch.setattr(train, "LEAST_STEPS", 1)
    listener = Recorder()
    first = prepare(config, data, listener)
    assert [step[1:] for step in listener.steps] == [(epoch, 8) for epoch in range(1, 9)], "three short runs, 5 epochs"
    assert (
        weights := re.fullmatch(
            r"trained here from scratch, epoch (\d) of 5, learning rate (\S+)", first.record.weights
        )
    )
    assert weights[2] in {"0.0003", "0.001", "0.003"}
    assert first.record.seconds > 0
    assert first.record.val_accuracy == accuracy(first.val_logits, data.labels[data.val]) > 0.7
    assert first.record.test_accuracy == accuracy(first.test_logits, data.labels[data.test])
    assert first.record.parameters == sum(p.numel() for p in first.model.parameters())
    assert not first.record.own_weights
    assert not first.model.training
    assert not any(p.requires_grad for p in first.model.parameters())
    assert kept(config) == ["teacher.json", "weights.safetensors"]

    listener = Recorder()
    second = prepare(config, data, listener)
    assert listener.steps == []
    assert listener.notes == [f"Reusing the teacher test_resnet, {first.record.weights}, from an earlier run."]
    assert second.record == first.record.model_copy(update={"seconds": 0.0})
    assert torch.equal(second.val_logits, first.val_logits)


@pytest.mark.parametrize(("after", "left"), [(2, [1, 2, 3, 4, 5]), (6, [4, 5])])
def test_an_interrupted_training_goes_on_to_the_same_teacher(config, data, monkeypatch, after, left):
    monkeypatch.setattr(train, "LEAST_STEPS", 1)
    elsewhere = config.model_copy(update={"cache_dir": config.cache_dir / "other"})
    whole = prepare(elsewhere, data)

    with pytest.raises(KeyboardInterrupt):
        prepare(config, data, Stop(after))
    assert "teacher.json" not in kept(config)
    epochs = []
    trained = autokd.training.loop._epoch
    monkeypatch.setattr(
        autokd.training.loop, "_epoch", lambda *args: epochs.append(len(args[1].history) + 1) or trained(*args)
    )
    resumed = prepare(config, data)
    assert epochs[-len(left) :] == left
    assert len(epochs) == 8 - after
    assert resumed.record.fingerprint == whole.record.fingerprint
    assert torch.equal(resumed.val_logits, whole.val_logits)
    assert kept(config) == ["teacher.json", "weights.safetensors"]


def test_other_epochs_or_data_make_another_teacher(config, data):
    prepare(config, data)
    prepare(config.model_copy(update={"teacher_epochs": 4}), data)
    assert len(kept(config)) == 4


def test_labels_hidden_from_students_make_no_other_teacher(config, data):
    first = prepare(config, data)
    few = config.model_copy(update={"label_fraction": 0.1})
    listener = Recorder()
    second = prepare(few, prepared(few), listener)
    assert listener.steps == []
    assert second.record == first.record.model_copy(update={"seconds": 0.0})
    shutil.rmtree(config.cache_dir / "teachers")
    third = prepare(few, prepared(few))
    assert third.record.fingerprint == first.record.fingerprint


def test_a_teacher_that_fails_at_the_image_size_is_refused_before_it_is_trained(config, data):
    with pytest.raises(UsageError, match=r"dla34 cannot be used at 28 px: its forward pass fails.*it works at 32"):
        prepare(config.model_copy(update={"teacher": "dla34"}), dataclasses.replace(data, size=28))


def test_a_teacher_that_learnt_nothing_is_refused(config, data):
    with pytest.raises(TeacherError, match=r"trained here from scratch, epoch 0 of 0.*raise teacher_epochs"):
        prepare(config.model_copy(update={"teacher_epochs": 0}), data)


def test_a_time_limit_leaves_the_teacher_fewer_epochs_unless_a_whole_one_is_kept(config, data, monkeypatch):
    monkeypatch.setattr(trained_here, "within_time", lambda recipe, *_: recipe.model_copy(update={"epochs": 2}))
    limited, hearing = config.model_copy(update={"time_limit": 60.0}), Recorder()
    short = prepare(limited, data, hearing).record
    assert (short.epochs, short.epochs_left_out) == (2, config.teacher_epochs - 2)
    assert f"The time limit leaves the teacher 2 of {config.teacher_epochs} epochs." in hearing.notes
    whole = prepare(config, data).record
    assert (whole.epochs, whole.epochs_left_out) == (config.teacher_epochs, 0)
    assert prepare(limited, data).record == whole.model_copy(update={"seconds": 0.0})


def test_a_teacher_that_was_interrupted_under_a_time_limit_keeps_its_epochs(config, data, monkeypatch):
    """Speed is measured again on a resume, and would say another number."""

    class Interrupted(Exception):
        """As by Ctrl-C."""

    class Interrupting(Recorder):
        def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
            raise Interrupted

    def planning(epochs: int) -> None:
        monkeypatch.setattr(
            trained_here, "within_time", lambda recipe, *_: recipe.model_copy(update={"epochs": epochs})
        )

    limited = config.model_copy(update={"time_limit": 60.0})
    planning(2)
    with pytest.raises(Interrupted):
        prepare(limited, data, Interrupting())
    planning(3)
    assert prepare(limited.model_copy(update={"time_limit": 50.0}), data).record.epochs == 3  # another limit
    assert prepare(limited, data).record.epochs == 2
    assert prepare(limited, data).record.epochs == 3  # nothing is interrupted any more


def test_epochs_follow_those_of_the_students(config):
    asked = config.model_copy(update={"teacher_epochs": 7})
    open_ = config.model_copy(update={"teacher_epochs": None, "data": "photos", "epochs": None, "batch_size": None})
    assert teacher_epochs(asked, True) == 7
    assert [teacher_epochs(open_.sized(images), True) for images in (1_000, 60_000, 10**6)] == [128, 40, 60]
    assert [teacher_epochs(open_.sized(images), False) for images in (1_000, 60_000, 10**6)] == [30, 20, 30]
    with pytest.raises(ConfigError, match="size the settings first"):
        teacher_epochs(open_, True)


# ---- from a file ------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(config, data, tmp_path):
    """Path of a trained teacher's weights."""
    path = tmp_path / "mine" / "weights.safetensors"
    path.parent.mkdir()
    save_file(
        {key: value.contiguous() for key, value in prepare(config, data).model.state_dict().items()},
        path,
    )
    return path


def from_file(config: SearchConfig, path, **options) -> SearchConfig:
    return config.model_copy(update={"teacher_weights": str(path), "teacher_epochs": None, **options})


def test_weights_of_the_task_are_used_as_they_are(config, data, trained):
    ready = prepare(from_file(config, trained), data)
    assert ready.record.weights == "loaded from weights.safetensors"
    assert ready.record.own_weights
    assert ready.record.seconds == 0
    assert ready.record.val_accuracy == prepare(config, data).record.val_accuracy


def test_asked_epochs_train_on_from_the_file_and_are_kept(config, data, trained):
    listener = Recorder()
    fine_tuned = prepare(from_file(config, trained, teacher_epochs=2), data, listener)
    assert re.match(r"trained here from weights\.safetensors, epoch \d of 2, learning rate ", fine_tuned.record.weights)
    assert fine_tuned.record.own_weights  # what the file was trained on is not known
    assert [step[1:] for step in listener.steps] == [(1, 2), (2, 2)]
    again = Recorder()
    prepare(from_file(config, trained, teacher_epochs=2), data, again)
    assert again.steps == []


def test_a_head_of_another_task_needs_epochs(config, data, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "other.pth"
    torch.save(build("test_resnet", 7, 32).state_dict(), path)
    with pytest.raises(TeacherError, match=r"does not fit the 3 classes .*or teacher_epochs to fine-tune"):
        prepare(from_file(config, path), data)
    assert prepare(from_file(config, path, teacher_epochs=6), data).record.val_accuracy > 0.5


def test_weights_of_the_wrong_model_are_refused(config, data, tmp_path):
    path = tmp_path / "other.pth"
    torch.save(build("test_vit", 3, 32).state_dict(), path)
    with pytest.raises(TeacherError, match="the weights are not those of test_resnet"):
        prepare(from_file(config, path), data)


def test_the_class_order_stored_with_the_weights_is_checked(config, data, trained):
    note = trained.parent / "config.json"
    note.write_text(json.dumps({"label_names": ["a", "c", "b"]}))
    with pytest.raises(TeacherError, match=r"are not those of .* in this order .*rename the class folders"):
        prepare(from_file(config, trained), data)
    note.write_text(json.dumps({"label_names": ["a", "b", "c"]}))
    prepare(from_file(config, trained), data)


def test_a_permuted_class_order_without_names_is_diagnosed(config, data, trained):
    state = read_state(trained)
    for key in ("fc.weight", "fc.bias"):
        state[key] = state[key][[1, 2, 0]]
    save_file(state, trained)
    with pytest.raises(TeacherError, match="its classes are in another order than the folders"):
        prepare(from_file(config, trained), data)


# ---- pretrained -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [None, 9])
def test_pretrained_weights_are_fine_tuned_to_other_classes(config, data, monkeypatch, epochs):
    """timm's download is replaced by a fresh model with the right head, as timm makes it for another class count."""
    import timm

    created = timm.create_model

    def offline(name, pretrained=False, **options):
        torch.manual_seed(3)
        return created(name, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    asked = config.model_copy(update={"teacher_weights": "pretrained", "teacher_epochs": epochs, "epochs": 5})
    ready = prepare(asked, data)
    told = rf"trained here from pretrained test_resnet\.r160_in1k, epoch \d of {epochs or 5}, learning rate "
    assert re.match(told, ready.record.weights)
    assert not ready.record.own_weights


@pytest.mark.parametrize(
    ("weights", "epochs", "classes", "given"),
    [
        ("pretrained", None, 1000, True),
        ("pretrained", None, 3, False),
        ("pretrained", 2, 1000, False),
        ("w.pth", None, 3, True),
        ("w.pth", 0, 3, True),
        ("w.pth", 2, 3, False),
        ("scratch", None, 1000, False),
        ("scratch", 0, 1000, False),
    ],
)
def test_when_weights_are_used_as_they_are(config, weights, epochs, classes, given):
    asked = config.model_copy(update={"teacher": "resnet18", "teacher_weights": weights, "teacher_epochs": epochs})
    assert teacher_is_given(asked, classes) is given


# ---- given from Python ------------------------------------------------------------------------------------------


def test_a_module_is_taken_as_it_is(config, data):
    module = Oracle().train()
    ready = prepare(config, data, given=module)
    assert ready.record.weights == "given from Python"
    assert ready.record.own_weights
    assert ready.record.val_accuracy == 1.0
    assert ready.normalisation[0] == (0.485, 0.456, 0.406)
    assert module.training  # the user's own is left alone
    assert module.scale.requires_grad


def test_a_module_with_permuted_classes_is_diagnosed(config, data):
    with pytest.raises(TeacherError, match="another order"):
        prepare(config, data, given=Oracle((1, 2, 0)))


class Answers(nn.Module):
    """Answers with whatever it was made with."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images):
        """The answer."""
        return self.answer(images)


@pytest.mark.parametrize(
    "answer",
    [
        lambda images: torch.zeros(len(images), 7),
        lambda images: torch.zeros(len(images), 3, 1, 1),
        lambda images: {"logits": torch.zeros(len(images), 3)},
    ],
    ids=["seven classes", "a map", "a dict"],
)
def test_a_module_with_the_wrong_outputs_is_refused(config, data, answer):
    with pytest.raises(TeacherError, match=r"not \(2, 3\) logits"):
        prepare(config, data, given=Answers(answer))


def test_a_module_that_cannot_take_the_images_is_refused(config, data):
    with pytest.raises(TeacherError, match=r"cannot take images \[2, 3, 64, 64\]") as caught:
        prepare(config, data, given=nn.Sequential(nn.Flatten(), nn.Linear(7, 3)))
    assert "\n" not in str(caught.value)


def test_the_size_and_normalisation_that_a_teacher_was_made_for():
    assert input_size("resnet18") == input_size("resnet18@width=0.5") == 224
    assert input_size("test_resnet") == 160
    assert input_size(build("test_vit", 3, 32)) == 160
    assert input_size(Oracle()) == 224
    assert normalisation_of(build("vit_tiny_patch16_224", 3, 32, device="meta"))[0] == (0.5, 0.5, 0.5)
