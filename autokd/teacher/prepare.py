"""A teacher ready for use: given, loaded, fine-tuned or trained, then verified."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from autokd import config_presets
from autokd.cache.locks import Hold, one_at_a_time
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.config import SearchConfig
from autokd.data.task import TaskData
from autokd.data.teacher_views import as_teacher_sees
from autokd.errors import ConfigError, TeacherError, UsageError
from autokd.files import digest, make_folder
from autokd.naming import named, set_to
from autokd.precision import precision_of
from autokd.progress import Listener
from autokd.records import Preprocessing, Recipe, Record, Teacher
from autokd.teacher.origin import teacher_is_given, weights_mode
from autokd.teacher.preprocessing import stored_configuration
from autokd.teacher.sanity_check import check_teacher
from autokd.teacher.train import SEED, TeacherTraining, within_time
from autokd.training.evaluate import Normalisation, accuracy, calibrating_temperature, predict
from autokd.training.presets import preset
from autokd.weights.hub import check_pretrained
from autokd.weights.loading import fit_state, read_class_names, read_state, weights_fingerprint
from autokd.weights.save import save_state
from autokd.zoo.build import REFUSALS, build, check_name, head_names, normalisation, reason
from autokd.zoo.count import count, module_macs
from autokd.zoo.served_form import parameters_of
from autokd.zoo.student_name import base_name

FORMAT = 2
KEPT = "teacher.json"


@dataclass(frozen=True)
class ReadyTeacher:
    """The verified teacher with what it says about validation and test."""

    model: nn.Module
    normalisation: Normalisation
    record: Teacher
    val_logits: Tensor  # [val, classes]
    test_logits: Tensor  # [test, classes]
    source: str = ""  # where its weights can be had again: `pretrained`, a file, or nothing for a module from Python


@dataclass(frozen=True)
class _Origin:
    model: nn.Module
    weights: str
    seconds: float
    own: bool
    source: str = ""
    epochs: int | None = None  # of its training here
    epochs_left_out: int = 0
    stats: Normalisation | None = None  # None: those of the model itself


class Kept(Record):
    """teacher.json, next to the weights in the cache."""

    name: str
    weights: str  # where they are from, in one phrase
    data: str
    classes: int
    seconds: float
    fingerprint: str  # of the weights


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


def normalisation_of(model: nn.Module) -> Normalisation:
    """The model's own mean and deviation; ImageNet's where a foreign module does not say."""
    if getattr(model, "pretrained_cfg", None):
        return normalisation(model)
    return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD


def _given(model: nn.Module, data: TaskData) -> _Origin:
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
    return _Origin(model, "given from Python", 0.0, own=True)


def _obtain(config: SearchConfig, data: TaskData, device: str, listener: Listener) -> _Origin:
    mode, name = weights_mode(config), config.teacher
    classes, size = len(data.task.classes), data.shown_size
    count(name, classes, size)  # refuses a size that the model fails at, before anything is trained
    if mode == "scratch":
        torch.manual_seed(SEED)
        model = build(name, classes, size)
        return _trained(config, data, device, listener, model, "scratch", "trained here from scratch")
    if mode == "pretrained":
        return _pretrained(config, data, device, listener)
    return _from_file(config, data, device, listener, Path(mode))


def _pretrained(config: SearchConfig, data: TaskData, device: str, listener: Listener) -> _Origin:
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
        return _Origin(model, f"pretrained ({tag})", 0.0, own=True, source="pretrained")
    return _trained(config, data, device, listener, model, tag, f"trained here from pretrained {tag}")


def _from_file(config: SearchConfig, data: TaskData, device: str, listener: Listener, path: Path) -> _Origin:
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
        return _Origin(model, f"loaded from {path.name}", 0.0, own=True, source=str(path.resolve()), stats=stats)
    source = weights_fingerprint(model)
    tuned = _trained(config, data, device, listener, model, source, f"trained here from {path.name}", stats)
    return replace(tuned, own=True)  # what the file was trained on is not known


def teacher_epochs(config: SearchConfig, from_scratch: bool) -> int:
    """As asked, else by preset and the students' epochs; `config` knows both."""
    if config.teacher_epochs is not None:
        return config.teacher_epochs
    if config.preset is None or config.epochs is None:
        raise ConfigError("a teacher's epochs follow preset and epochs; size the settings first")
    return config_presets.teacher_epochs(config.preset, config.epochs, from_scratch)


def _trained(
    config: SearchConfig,
    data: TaskData,
    device: str,
    listener: Listener,
    model: nn.Module,
    source: str,
    weights: str,
    stats: Normalisation | None = None,
) -> _Origin:
    """Train on all labels of the task, or take what an earlier run has trained in just this way.

    stats: what the weights were made for, where it is not what the model says itself.

    A time limit leaves the training fewer epochs, unless one of all epochs is kept.
    """
    data = data.unhidden()
    fine_tuning = source != "scratch"
    wanted = Recipe(
        learning_rate=preset(fine_tuning).teacher[1],
        fine_tuning=fine_tuning,
        epochs=teacher_epochs(config, not fine_tuning),
        batch_size=config.batch_size or 64,
    )

    def key_of(recipe: Recipe) -> str:
        own = [stats] if stats not in (None, normalisation_of(model)) else []
        return digest(FORMAT, config.teacher, source, data.task.shared_fingerprint, recipe, *own)

    recipe = wanted
    if config.time_limit is not None and not (config.cache_dir / "teachers" / key_of(wanted) / KEPT).exists():
        recipe = within_time(wanted, model, data, device, config.time_limit)
        if recipe != wanted:
            listener.note(f"The time limit leaves the teacher {recipe.epochs} of {wanted.epochs} epochs.")
    key = key_of(recipe)
    folder = config.cache_dir / "teachers" / key
    hold, source_file = Hold(folder), f"teachers/{key}/weights.safetensors"
    left_out = wanted.epochs - recipe.epochs
    training = TeacherTraining(
        config.teacher, model, stats or normalisation_of(model), data, recipe, folder, device, config.deterministic
    )
    make_folder(folder)
    waiting = "Another search is training this very teacher; this one waits for it."
    with one_at_a_time(folder / ".training", listener, waiting):
        if (folder / KEPT).exists():
            if (kept := _kept(folder, model)) is not None:
                known, about = kept
                training.clear()  # what a kill right after the training has left
                listener.note(f"Reusing the teacher {config.teacher}, {about.weights}, from an earlier run.")
                return _Origin(
                    known,
                    about.weights,
                    0.0,
                    own=False,
                    source=source_file,
                    epochs=recipe.epochs,
                    epochs_left_out=left_out,
                    stats=stats,
                )
            listener.note(f"The teacher kept in {folder} is damaged or of another version; it is trained again.")
        trained = training.run(listener)
        weights = f"{weights}, epoch {trained.epoch} of {recipe.epochs}, learning rate {trained.rate:.2g}"
        if trained.precision != precision_of(device):
            weights += ", in bfloat16"
        _keep(folder, model, config.teacher, weights, data, trained.seconds)
        training.clear()
    hold.close()
    return _Origin(
        model,
        weights,
        trained.seconds,
        own=False,
        source=source_file,
        epochs=recipe.epochs,
        epochs_left_out=left_out,
        stats=stats,
    )


def _kept(folder: Path, model: nn.Module) -> tuple[nn.Module, Kept] | None:
    """The teacher kept in `folder`, as it was when it was kept, else None; `model` itself is left alone."""
    kept = copy.deepcopy(model)
    try:
        kept.load_state_dict(read_state(folder / "weights.safetensors"))
    except (TeacherError, RuntimeError):
        return None
    about = read_sealed(folder / KEPT, Kept)
    return (kept, about) if about is not None and weights_fingerprint(kept) == about.fingerprint else None


def _keep(folder: Path, model: nn.Module, name: str, weights: str, data: TaskData, seconds: float) -> None:
    save_state(folder / "weights.safetensors", model.state_dict())
    about = Kept(
        name=name,
        weights=weights,
        data=data.task.data,
        classes=len(data.task.classes),
        seconds=seconds,
        fingerprint=weights_fingerprint(model),
    )
    write_sealed(folder / KEPT, about)
