"""The weights that students start from: found, converted and kept by the controller before anything is trained.

A student's weights are one file in the cache, so both arms, every seed and every worker start from the same tensors;
only a head that does not fit the task is drawn by each training, from its seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import timm
from torch import Tensor, nn

from autokd.cache.locks import Hold, mend
from autokd.cache.sealed import read_sealed, write_sealed
from autokd.errors import TeacherError, UsageError
from autokd.files import digest
from autokd.progress import Listener, Silent
from autokd.records import Record, StartWeights, Task
from autokd.weights.folder import WeightsFolder
from autokd.weights.hub import is_kept, kept_file, reachable
from autokd.weights.loading import fit_state, read_class_names, read_state, state_fingerprint
from autokd.weights.published import build_with, is_imagenet, published, without_head
from autokd.weights.save import save_state
from autokd.zoo.build import REFUSALS, build, build_arguments, head_names, reason
from autokd.zoo.student_name import base_name

FORMAT = 1
WORDS = ("auto", "pretrained", "scratch")


class UnavailableError(UsageError):
    """The weights of one student cannot be had, or not for this task, after all."""


class Supply:
    """Where students' first weights come from: timm's hub, a folder, or nowhere.

    The hub is asked whether it answers when that first matters. Raises ConfigError for a folder that cannot be used.
    """

    def __init__(self, asked: str) -> None:
        self.asked = asked
        self._folder = None if asked in WORDS else WeightsFolder(Path(asked))

    @cached_property
    def _hub_answers(self) -> bool:
        return reachable()

    def lacks(self, student: str) -> str | None:
        """Why a student has no weights to start from; None where it has. Nothing is fetched."""
        if self.asked == "scratch":
            return "random weights were asked for"
        if self._folder is not None:
            return None if self._folder.file_of(student) else f"{self.asked} has no file of its weights"
        known = published(student)
        if known is None:
            return "timm publishes no weights for it"
        return None if is_kept(known.name) or self._hub_answers else "its published weights cannot be reached from here"

    def publishes(self, student: str) -> bool:
        """Whether a student starts from weights that timm publishes."""
        return self._folder is None and self.lacks(student) is None

    def fetch(
        self, student: str, task: Task, cache_dir: Path, hold: Hold | None = None, listener: Listener | None = None
    ) -> StartWeights:
        """The weights of a student that `lacks` none, converted for the task and kept in the cache.

        Raises UnavailableError where the hub fails to give them or timm cannot convert them to this student and image
        size, and UsageError for a file that cannot be used.
        """
        make = _from_hub if self._folder is None else _from_file
        file = None if self._folder is None else self._folder.file_of(student)
        try:
            return make(student, file, task, Shelf(cache_dir, hold, listener or Silent()))
        except UnavailableError:
            self.__dict__.pop("_hub_answers", None)  # the hub is asked again before the next download
            raise

    def again(
        self,
        student: str,
        weights: StartWeights,
        task: Task,
        cache_dir: Path,
        hold: Hold | None = None,
        listener: Listener | None = None,
    ) -> bool:
        """Whether what an earlier session fetched is still kept, or can be fetched again unchanged."""
        if Shelf(cache_dir, hold, Silent()).find(weights.key) == weights:
            return True
        try:
            return self.lacks(student) is None and self.fetch(student, task, cache_dir, hold, listener) == weights
        except UnavailableError:
            return False


def weights_path(cache_dir: Path, weights: StartWeights) -> Path:
    """The file of weights that were fetched."""
    return cache_dir / "students" / weights.key / "weights.safetensors"


class Kept(Record):
    """start.json."""

    student: str
    weights: StartWeights


@dataclass(frozen=True)
class Shelf:
    """Converted weights in the cache."""

    cache_dir: Path
    hold: Hold | None
    listener: Listener

    def find(self, key: str) -> StartWeights | None:
        """What is kept under this key; None for what is damaged, which is told."""
        folder = self.cache_dir / "students" / key
        mend(folder)
        if not (folder / "start.json").exists():
            return None
        found = read_sealed(folder / "start.json", Kept)
        if found is None or _fingerprint(folder / "weights.safetensors") != found.weights.fingerprint:
            self.listener.note(f"The weights kept in {folder} are damaged or of another version; they are made again.")
            return None
        self._use(key)
        return found.weights

    def keep(self, model: nn.Module, student: str, weights: StartWeights, with_head: bool) -> StartWeights:
        """Write the weights, and last of all start.json, which says that they are there."""
        self._use(weights.key)
        state = model.state_dict() if with_head else without_head(model)
        path = weights_path(self.cache_dir, weights)
        save_state(path, state)
        weights = weights.model_copy(update={"fingerprint": state_fingerprint(state)})
        write_sealed(path.with_name("start.json"), Kept(student=student, weights=weights))
        return weights

    def _use(self, key: str) -> None:
        if self.hold is not None:
            self.hold.add(self.cache_dir / "students" / key)


def _fingerprint(path: Path) -> str | None:
    """Of the tensors in a file; None where it holds none."""
    try:
        return state_fingerprint(read_state(path))
    except TeacherError:
        return None


def _from_hub(student: str, file: Path | None, task: Task, shelf: Shelf) -> StartWeights:
    """timm's weights, from its own cache if they are there."""
    known, classes = published(student), len(task.classes)
    assert known is not None  # noqa: S101 - see `lacks`
    key = digest(FORMAT, student, known.name, timm.__version__, *_needs(student, task))
    if (kept := shelf.find(key)) is not None:
        return kept
    file = kept_file(known.name)
    try:
        source = {} if file is None else {"file": str(file)}
        model = build_with(student, classes, task.transform.image_size, source)
    except Exception as error:
        raise UnavailableError(f"its published weights cannot be had ({_why(error)})") from error
    fits = known.classes == classes
    as_is = fits and is_imagenet(task.classes)
    weights = StartWeights(source=known.tag, licence=known.licence, fingerprint="", key=key, as_is=as_is)
    return shelf.keep(model, student, weights, with_head=fits)


def _from_file(student: str, file: Path | None, task: Task, shelf: Shelf) -> StartWeights:
    """A file's weights, by name or by order; converted by timm where they are of another image size."""
    assert file is not None  # noqa: S101 - see `lacks`
    state = read_state(file, "student_weights")
    names = read_class_names(file)
    key = digest(FORMAT, student, state_fingerprint(state), *state, names, *_needs(student, task))
    if (kept := shelf.find(key)) is not None:
        return kept
    model, with_head = _loaded(student, state, file, len(task.classes), task.transform.image_size)
    with_head = with_head and names in (None, task.classes)
    as_is = with_head and (names == task.classes or is_imagenet(task.classes))
    weights = StartWeights(source=file.name, fingerprint="", key=key, as_is=as_is)
    return shelf.keep(model, student, weights, with_head)


def _loaded(
    student: str, state: dict[str, Tensor], file: Path, classes: int, image_size: int
) -> tuple[nn.Module, bool]:
    """A student with these weights, and whether the head is among them."""
    model = build(student, classes, image_size)
    try:
        return model, _fit(model, state, student, file)
    except UsageError:
        if "img_size" not in build_arguments(student, image_size):
            raise
    native = build(base_name(student), classes, timm.get_pretrained_cfg(base_name(student)).input_size[-1])
    with_head = _fit(native, state, student, file)
    source = {"state_dict": native.state_dict(), "num_classes": classes, "label_offset": None, "custom_load": False}
    try:
        return build_with(student, classes, image_size, source), with_head
    except REFUSALS as error:
        raise UnavailableError(f"{file} cannot be converted to {image_size} px ({_why(error)})") from error


def _fit(model: nn.Module, state: dict[str, Tensor], student: str, file: Path) -> bool:
    """Load a state, see `fit_state`; whether with its head. A state without one is taken too."""
    own, body = model.state_dict(), without_head(model)
    headless = set(body) == set(state) and len(body) < len(own)
    replaced = fit_state(
        model, {**own, **state} if headless else state, head_names(model), student, f"name {file} after its own model"
    )
    return not headless and not replaced


def _why(error: Exception) -> str:
    """One line; torch heads a list of misfits with a line that says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return reason(RuntimeError(lines[1])) if len(lines) > 1 and lines[0].endswith(":") else reason(error)


def _needs(student: str, task: Task) -> tuple[object, ...]:
    """What converted weights depend on in addition to their source."""
    return (*task.classes, *build_arguments(student, task.transform.image_size).items())
