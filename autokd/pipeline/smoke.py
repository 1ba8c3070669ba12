"""A smoke test of one device: everything that a search does there, on the digits and with tiny models."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch

from autokd.config import SearchConfig
from autokd.cost.measure import measure
from autokd.cost.pricing import cost_model_for
from autokd.data.task import TaskData, open_task, prepare_task
from autokd.machine import Stopwatch
from autokd.memory import free_memory, is_memory
from autokd.pipeline.doctor import Check
from autokd.precision import precision_of
from autokd.progress import Silent
from autokd.records import Recipe, Teacher
from autokd.soft_labels.read import SoftLabels
from autokd.soft_labels.write import write_soft_labels
from autokd.teacher.prepare import ReadyTeacher
from autokd.teacher.trained_here import normalisation_of
from autokd.training.device import leave_device, use_device
from autokd.training.evaluate import predict
from autokd.training.loop import Training, train
from autokd.tune.engines.failures import describe
from autokd.weights.loading import weights_fingerprint
from autokd.zoo.build import build

TEACHER, STUDENT = "resnet10t", "test_resnet"
PIXELS = 32
VIEWS_SEED = 1


def smoke(device: str, folder: Path) -> Iterator[Check]:
    """Soft labels, a training with them, an evaluation and a reading of serving cost on a device.

    folder: a scratch folder. Whatever goes wrong is a check that is not ok; what needs it is then left out.
    """
    works = _Works(device, folder)
    steps = (
        ("soft labels", works.write_labels),
        ("training", works.train),
        ("evaluation", works.evaluate),
        ("cost", works.measure),
    )
    for name, step in steps:
        check = _tried(f"{name} on {device}", step, device)
        yield check
        if not check.ok:
            break
    free_memory()


def _tried(name: str, step: Callable[[], str], device: str) -> Check:
    watch = Stopwatch()
    try:
        said = step()
    except Exception as error:  # noqa: BLE001 - whatever a driver or a library raises
        return Check(name=name, ok=False, text=f"{describe(error)}; {_next_step(error, device)}")
    return Check(name=name, ok=True, text=f"{said} in {watch.seconds:.1f} s")


def _next_step(error: Exception, device: str) -> str:
    if is_memory(error):
        return f"free memory on {device}: another process may hold it"
    if device.startswith("cuda"):
        return "update the GPU's driver or install the torch that fits it, or give --device cpu"
    return "install the versions of torch and timm that autokd asks for again"


class _Works:
    """The parts of a search on one device, each with a word on what it did."""

    def __init__(self, device: str, folder: Path) -> None:
        self._device, self._folder = device, folder
        self._config = SearchConfig.of(
            teacher=TEACHER,
            max_cost=1,
            price_per_hour=1,
            serve_runtime="eager",
            image_size=PIXELS,
            device=device,
            cache_dir=folder,
            loader_workers=0,
        )

    def write_labels(self) -> str:
        """One view of all training images by a teacher that knows nothing."""
        use_device(self._device)
        self._data = self._task()
        model = build(TEACHER, len(self._data.task.classes), PIXELS)
        teacher = _ready(model)
        labels = write_soft_labels(teacher, self._data, 1, VIEWS_SEED, self._folder, self._device, Silent())
        self._soft = SoftLabels(Path(labels.folder), labels.views, self._device)
        leave_device(model)
        return f"a view of {len(self._data.train):,} images in {precision_of(self._device)}"

    def _task(self) -> TaskData:
        return open_task(prepare_task(self._config, PIXELS, Silent()), self._device)

    def train(self) -> str:
        """One epoch from labels and soft labels."""
        torch.manual_seed(0)
        self._student = build(STUDENT, len(self._data.task.classes), PIXELS)
        recipe = Recipe(learning_rate=1e-3, alpha=0.5, temperature=2.0, epochs=1, batch_size=64)
        training = Training(
            data=self._data,
            model=self._student,
            normalisation=normalisation_of(self._student),
            recipe=recipe,
            seed=0,
            views_seed=VIEWS_SEED,
            device=self._device,
            teacher=self._soft,
        )
        deque(train(training), maxlen=0)
        return f"an epoch of {len(self._data.train):,} images"

    def evaluate(self) -> str:
        """The student's logits of the test images."""
        data = self._data
        logits = predict(self._student, data, data.test, normalisation_of(self._student), self._device)
        if not bool(torch.isfinite(logits).all()):
            raise RuntimeError("the logits are not finite")
        return f"{len(logits):,} images"

    def measure(self) -> str:
        """The student's capacity, timed in turn with the teacher."""
        builders = {name: partial(build, name, len(self._data.task.classes), PIXELS) for name in (TEACHER, STUDENT)}
        reading = measure(builders, TEACHER, cost_model_for(self._config, PIXELS, trains=False))[STUDENT]
        return f"{STUDENT} answers {reading.capacity_rps:,.0f} requests a second"


def _ready(model: torch.nn.Module) -> ReadyTeacher:
    """A teacher without any training, and so without a word on its accuracy."""
    model.eval().requires_grad_(False)
    record = Teacher(
        name=TEACHER,
        weights="random",
        fingerprint=weights_fingerprint(model),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        macs=0,
        val_accuracy=0.0,
        test_accuracy=0.0,
        temperature=1.0,
        seconds=0.0,
        own_weights=False,
    )
    return ReadyTeacher(model, normalisation_of(model), record, torch.empty(0), torch.empty(0))
