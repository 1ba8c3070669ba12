"""A teacher ready for use: given, loaded, fine-tuned or trained, then verified."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from autokd.config import SearchConfig
from autokd.data.task import TaskData
from autokd.data.teacher_views import as_teacher_sees
from autokd.errors import TeacherError, UsageError
from autokd.naming import named, set_to
from autokd.progress import Listener
from autokd.records import Preprocessing, Teacher
from autokd.teacher.origin import FROM_PYTHON, teacher_is_given, weights_mode
from autokd.teacher.preprocessing import stored_configuration
from autokd.teacher.sanity_check import check_teacher
from autokd.teacher.train import SEED
from autokd.teacher.trained_here import Origin, normalisation_of, train_here
from autokd.training.evaluate import Normalisation, accuracy, calibrating_temperature, predict
from autokd.weights.hub import check_pretrained
from autokd.weights.loading import fit_state, read_class_names, read_state, weights_fingerprint
from autokd.zoo.build import REFUSALS, build, check_name, head_names, reason
from autokd.zoo.count import count, module_macs
from autokd.zoo.served_form import parameters_of
from autokd.zoo.student_name import base_name


@dataclass(frozen=True)
class ReadyTeacher:
    """The verified teacher with what it says about validation and test."""

    model: nn.Module
    normalisation: Normalisation
    record: Teacher
    val_logits: Tensor  # [val, classes]
    test_logits: Tensor  # [test, classes]
    source: str = ""  # where its weights can be had again: `pretrained`, a file, or nothing for a module from Python


def input_size(teacher: str | nn.Module) -> int:
    """Pixels a side that the teacher was made for; raises UsageError for an unknown timm name."""
    if isinstance(teacher, nn.Module):
        cfg = getattr(teacher, "pretrained_cfg", None) or {}
        return int(cfg.get("input_size", (3, 224, 224))[-1])
    check_name(teacher)
    return int(timm.get_pretrained_cfg(base_name(teacher)).input_size[-1])


def check_weights(config: SearchConfig) -> None:
    """Fail early, before any data are read, where the weights asked for cannot be had."""
    mode = weights_mode(config)
    if mode == "pretrained":
        check_pretrained(config.teacher)
    elif mode != "scratch" and not Path(mode).is_file():
        raise TeacherError(f"{set_to('teacher_weights', mode)} is not a file; name one, or use pretrained or scratch")


def prepare_teacher(
    config: SearchConfig,
    data: TaskData,
    device: str,
    listener: Listener,
    given: nn.Module | None = None,
    preprocessing: Preprocessing | None = None,
) -> ReadyTeacher:
    """Obtain the teacher and verify it on validation data; raises TeacherError where it cannot be trusted.

    preprocessing: its own, where it comes trained and has one; see `own_preprocessing`.
    """
    data = as_teacher_sees(data, preprocessing, device, config.loader_workers)
    origin = _given(given, data) if given is not None else _obtain(config, data, device, listener)
    model = origin.model.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
    stats = origin.stats or normalisation_of(model)
    val_logits = predict(model, data, data.val, stats, device)
    val_accuracy = check_teacher(config.teacher, val_logits, data.labels[data.val], origin.weights)
    test_logits = predict(model, data, data.test, stats, device)
    record = Teacher(
        name=config.teacher,
        weights=origin.weights,
        fingerprint=weights_fingerprint(model),
        parameters=parameters_of(model),
        macs=module_macs(model, data.shown_size),
        val_accuracy=val_accuracy,
        test_accuracy=accuracy(test_logits, data.labels[data.test]),
        temperature=calibrating_temperature(val_logits, data.labels[data.val]),
        seconds=origin.seconds,
        preprocessing=preprocessing,
        epochs=origin.epochs,
        epochs_left_out=origin.epochs_left_out,
        own_weights=origin.own,
    )
    return ReadyTeacher(model, stats, record, val_logits, test_logits, origin.source)


def _given(model: nn.Module, data: TaskData) -> Origin:
    size, classes = data.shown_size, len(data.task.classes)
    model = copy.deepcopy(model).cpu().eval()
    try:
        with torch.inference_mode():
            scores = model(torch.zeros(2, 3, size, size))
    except REFUSALS as error:
        raise TeacherError(
            f"teacher= cannot take images [2, 3, {size}, {size}] ({reason(error)}); "
            f"give {named('teacher_size')}, {named('image_size')} or another module"
        ) from None
    if not isinstance(scores, Tensor) or scores.shape != (2, classes):
        shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise TeacherError(f"teacher= gives {shape} for 2 images, not (2, {classes}) logits; give it the task's head")
    return Origin(model, FROM_PYTHON, 0.0, own=True)


def _obtain(config: SearchConfig, data: TaskData, device: str, listener: Listener) -> Origin:
    mode, name = weights_mode(config), config.teacher
    classes, size = len(data.task.classes), data.shown_size
    count(name, classes, size)  # refuses a size that the model fails at, before anything is trained
    if mode == "scratch":
        torch.manual_seed(SEED)
        model = build(name, classes, size)
        return train_here(config, data, device, listener, model, "scratch", "trained here from scratch")
    if mode == "pretrained":
        return _pretrained(config, data, device, listener)
    return _from_file(config, data, device, listener, Path(mode))


def _pretrained(config: SearchConfig, data: TaskData, device: str, listener: Listener) -> Origin:
    name, classes, size = config.teacher, len(data.task.classes), data.shown_size
    torch.manual_seed(SEED)
    try:
        model = build(name, classes, size, pretrained=True)
    except UsageError:
        raise
    except Exception as error:
        raise TeacherError(
            f"the pretrained weights of {name} cannot be had ({reason(error)}); "
            f"give {set_to('teacher_weights', 'FILE')} with your own, "
            f"or {set_to('teacher_weights', 'scratch')} to train the teacher on your data"
        ) from error
    tag = f"{timm.get_pretrained_cfg(name).architecture}.{timm.get_pretrained_cfg(name).tag}"
    if teacher_is_given(config, classes):
        return Origin(model, f"pretrained ({tag})", 0.0, own=True, source="pretrained")
    return train_here(config, data, device, listener, model, tag, f"trained here from pretrained {tag}")


def _from_file(config: SearchConfig, data: TaskData, device: str, listener: Listener, path: Path) -> Origin:
    name, classes, size = config.teacher, data.task.classes, data.shown_size
    torch.manual_seed(SEED)
    model = build(name, len(classes), size)
    replaced = fit_state(model, read_state(path), head_names(model), name)
    if replaced and not config.teacher_epochs:
        raise TeacherError(
            f"the head in {path} does not fit the {len(classes)} classes of {data.task.data} (tensor {replaced[0]}); "
            f"give weights of this task, or {named('teacher_epochs')} to fine-tune these to it"
        )
    names = read_class_names(path)
    if names and not replaced and names != classes:
        raise TeacherError(
            f"the classes stored with {path} ({', '.join(names[:4])}, ...) are not those of {data.task.data} in this "
            f"order ({', '.join(classes[:4])}, ...); rename the class folders so that their order fits the weights"
        )
    stored, (mean, std) = stored_configuration(config), normalisation_of(model)
    stats = stored.get("mean", mean), stored.get("std", std)
    if teacher_is_given(config, len(classes)):
        return Origin(model, f"loaded from {path.name}", 0.0, own=True, source=str(path.resolve()), stats=stats)
    source = weights_fingerprint(model)
    tuned = train_here(config, data, device, listener, model, source, f"trained here from {path.name}", stats)
    return replace(tuned, own=True)  # what the file was trained on is not known
