"""A model in cheaper forms: other runtimes and precisions, each with its cost and its accuracy.

Before anybody trains a student, the teacher itself may be served for less, and so may every student. A form that costs
less than the one that was measured for all models is evaluated on validation and test.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.decide.economics import cheaper
from autokd.errors import ConfigError
from autokd.formatting import first_line
from autokd.metrics import Correct
from autokd.progress import Listener
from autokd.records import CostModel, Precision, Reading, RuntimeName, ServedForm

if TYPE_CHECKING:
    from torch import Tensor, nn

    from autokd.cost.meter import MeasuredMeter
    from autokd.cost.runtimes.protocol import Loaded
    from autokd.data.image_store import Indices
    from autokd.data.task import TaskData
    from autokd.pipeline.services import Prepared
    from autokd.training.evaluate import Normalisation

CALIBRATION = 128  # training images
BATCH = 32


@dataclass(frozen=True)
class Form:
    """A form with what it gets right: [test images]."""

    form: ServedForm
    correct: Correct


@dataclass(frozen=True)
class Subject:
    """A model that is tried in other forms, with the images that it sees; `load` gives it on the CPU."""

    name: str
    load: Callable[[], nn.Module]
    data: TaskData
    stats: Normalisation


def teacher_forms(
    prepared: Prepared, own: Reading, config: SearchConfig, meter: MeasuredMeter, listener: Listener
) -> tuple[Form, ...]:
    """Of the teacher, with its own weights."""
    from autokd.data.task import open_task
    from autokd.data.teacher_views import as_teacher_sees

    assert prepared.ready is not None  # noqa: S101 - it has just been made ready
    ready = prepared.ready
    data = as_teacher_sees(open_task(prepared.task_folder), ready.record.preprocessing, "cpu", config.loader_workers)
    teacher = Subject(ready.record.name, lambda: copy.deepcopy(ready.model).cpu(), data, ready.normalisation)
    return cheaper_forms(teacher, own, meter.read_form, meter.cost_model, listener)


def cheaper_forms(
    subject: Subject,
    own: Reading,
    read: Callable[[RuntimeName, Precision], Reading],
    model: CostModel,
    listener: Listener,
) -> tuple[Form, ...]:
    """Those that cost less than its own reading; others are named to the listener."""
    from autokd.cost.runtimes.open import open_runtime, other_forms
    from autokd.cost.runtimes.protocol import FAILURES, ready
    from autokd.zoo.served_form import served_form

    found, data = [], subject.data
    for runtime, precision in other_forms(model):
        form = ServedForm(runtime=runtime, precision=precision, reading=own, val_accuracy=0.0, test_accuracy=0.0)
        try:
            reading = read(runtime, precision)
            if not cheaper(reading.cost_usd_per_1k.mean, own.cost_usd_per_1k.mean):
                listener.note(f"{subject.name} costs no less, or hardly less, as {form.words}.")
                continue
            served = served_form(subject.load().eval(), data.shown_size)
            served_as = model.model_copy(update={"runtime": runtime, "precision": precision})
            loaded = ready(open_runtime(served_as), served, calibration_images(data, subject.stats))
            told = f"evaluating {subject.name} as {form.words}"
            val, test = (_correct(data, part, subject.stats, loaded, told, listener) for part in (data.val, data.test))
        except (ConfigError, *FAILURES) as error:
            line = first_line(error)
            listener.note(f"{subject.name} cannot be served as {form.words}: {line}")
            continue
        accuracies = {"val_accuracy": float(val.mean()), "test_accuracy": float(test.mean())}
        form = form.model_copy(update={"reading": reading, **accuracies})
        times = own.cost_usd_per_1k.mean / reading.cost_usd_per_1k.mean
        told = f"{subject.name} as {form.words} costs {times:.1f} times less"
        listener.note(f"{told}, with {form.val_accuracy:.1%} on validation.")
        found.append(Form(form, test))
    return tuple(found)


def calibration_images(data: TaskData, stats: Normalisation) -> Tensor:
    """Normalised training images from all over the data: fp32 [at most CALIBRATION, 3, size, size]."""
    import numpy as np
    import torch

    chosen = data.train[np.linspace(0, len(data.train) - 1, min(CALIBRATION, len(data.train))).astype(np.int64)]
    return torch.cat(list(_shown(data, chosen, stats)))


def _correct(
    data: TaskData, indices: Indices, stats: Normalisation, loaded: Loaded, told: str, listener: Listener
) -> Correct:
    """Which of these images a form gets right."""
    import numpy as np

    right: list[Correct] = []
    labels = data.labels[indices]
    for view in _shown(data, indices, stats):
        done = sum(map(len, right))
        right.append(loaded.answer(view).argmax(1).numpy() == labels[done : done + len(view)])
        listener.advance(told, done + len(view), len(indices), None)
    return np.concatenate(right)


def _shown(data: TaskData, indices: Indices, stats: Normalisation) -> Iterator[Tensor]:
    """Normalised views without randomness, fp32 on the CPU."""
    from autokd.data.views import normalise

    for view in data.clean_views(indices, BATCH):
        yield normalise(view, *stats).cpu()
