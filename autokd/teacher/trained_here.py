"""A teacher that is trained here on all labels of the task, or taken from the cache where that was done before."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import timm
from torch import nn

from autokd import config_presets
from autokd.cache.locks import Hold, one_at_a_time
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.config import SearchConfig
from autokd.data.task import TaskData
from autokd.errors import ConfigError, TeacherError
from autokd.files import digest, make_folder
from autokd.precision import precision_of
from autokd.progress import Listener
from autokd.records import Recipe, Record
from autokd.teacher.train import TeacherTraining, begun_within, note_limit, within_time
from autokd.training.evaluate import Normalisation
from autokd.training.presets import preset
from autokd.weights.loading import read_state, weights_fingerprint
from autokd.weights.save import save_state
from autokd.zoo.build import normalisation
from autokd.zoo.timm_names import family_of

FORMAT = 2
KEPT = "teacher.json"


@dataclass(frozen=True)
class Origin:
    """A teacher and where it is from."""

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


def normalisation_of(model: nn.Module) -> Normalisation:
    """The model's own mean and deviation; ImageNet's where a foreign module does not say."""
    if getattr(model, "pretrained_cfg", None):
        return normalisation(model)
    return timm.data.IMAGENET_DEFAULT_MEAN, timm.data.IMAGENET_DEFAULT_STD


def teacher_epochs(config: SearchConfig, from_scratch: bool) -> int:
    """As asked, else by preset and the students' epochs; `config` knows both."""
    if config.teacher_epochs is not None:
        return config.teacher_epochs
    if config.preset is None or config.epochs is None:
        raise ConfigError("a teacher's epochs follow preset and epochs; size the settings first")
    return config_presets.teacher_epochs(config.preset, config.epochs, from_scratch)


def train_here(
    config: SearchConfig,
    data: TaskData,
    device: str,
    listener: Listener,
    model: nn.Module,
    source: str,
    weights: str,
    stats: Normalisation | None = None,
) -> Origin:
    """Train on all labels of the task, or take what an earlier run has trained in just this way.

    stats: what the weights were made for, where it is not what the model says itself.

    A time limit leaves the training fewer epochs, unless one of all epochs is kept; one that was interrupted under the
    same limit keeps those that it was planned with.
    """
    data = data.unhidden()
    fine_tuning = source != "scratch"
    rates = preset(fine_tuning, family_of(config.teacher)).teacher
    wanted = Recipe(
        learning_rate=rates[1],
        fine_tuning=fine_tuning,
        epochs=teacher_epochs(config, not fine_tuning),
        batch_size=config.batch_size or 64,
    )

    def folder_of(recipe: Recipe) -> Path:
        own = [stats] if stats not in (None, normalisation_of(model)) else []
        key = digest(FORMAT, config.teacher, source, data.task.shared_fingerprint, recipe, *own)
        return config.cache_dir / "teachers" / key

    recipe, limit = wanted, config.time_limit
    if limit is not None and not (folder_of(wanted) / KEPT).exists():
        shorter = (wanted.model_copy(update={"epochs": epochs}) for epochs in range(wanted.epochs, 0, -1))
        begun = next((each for each in shorter if begun_within(folder_of(each), limit, device)), None)
        recipe = begun or within_time(wanted, model, data, device, limit)
        if recipe != wanted:
            listener.note(f"The time limit leaves the teacher {recipe.epochs} of {wanted.epochs} epochs.")
    folder = folder_of(recipe)
    hold, source_file = Hold(folder), f"teachers/{folder.name}/weights.safetensors"
    left_out = wanted.epochs - recipe.epochs
    training = TeacherTraining(
        config.teacher,
        model,
        stats or normalisation_of(model),
        data,
        recipe,
        folder,
        device,
        rates,
        config.deterministic,
    )
    make_folder(folder)
    waiting = "Another search is training this very teacher; this one waits for it."
    with one_at_a_time(folder / ".training", listener, waiting):
        if (folder / KEPT).exists():
            if (kept := _kept(folder, model)) is not None:
                known, about = kept
                training.clear()  # what a kill right after the training has left
                listener.note(f"Reusing the teacher {config.teacher}, {about.weights}, from an earlier run.")
                return Origin(
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
        if limit is not None:
            note_limit(folder, limit, device)
        trained = training.run(listener)
        weights = f"{weights}, epoch {trained.epoch} of {recipe.epochs}, learning rate {trained.rate:.2g}"
        if trained.precision != precision_of(device):
            weights += ", in bfloat16"
        _keep(folder, model, config.teacher, weights, data, trained.seconds)
        training.clear()
    hold.close()
    return Origin(
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
