"""The teacher in cheaper forms: other runtimes and precisions, each with its cost and its accuracy.

Before anybody trains a student, the teacher itself may be served for less. A form that costs less than the one that was
measured for all models is evaluated on validation and test, with the teacher's own weights.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.decide.economics import cheaper
from autokd.errors import ConfigError
from autokd.metrics import Correct
from autokd.progress import Listener
from autokd.records import Reading, TeacherForm

if TYPE_CHECKING:
    from torch import Tensor

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

    form: TeacherForm
    correct: Correct


def cheaper_forms(
    prepared: Prepared, own: Reading, config: SearchConfig, meter: MeasuredMeter, listener: Listener
) -> tuple[Form, ...]:
    """Those that cost less than the teacher's own reading; others are named to the listener."""
    from autokd.cost.runtimes.open import open_runtime, other_forms
    from autokd.cost.runtimes.protocol import FAILURES
    from autokd.data.task import open_task
    from autokd.data.teacher_views import as_teacher_sees
    from autokd.zoo.served_form import served_form

    assert prepared.ready is not None  # noqa: S101 - it has just been made ready
    ready, found = prepared.ready, []
    data = as_teacher_sees(open_task(prepared.task_folder), ready.record.preprocessing, "cpu", config.loader_workers)
    for runtime, precision in other_forms(meter.cost_model):
        form = TeacherForm(runtime=runtime, precision=precision, reading=own, val_accuracy=0.0, test_accuracy=0.0)
        try:
            reading = meter.read_form(runtime, precision)
            if not cheaper(reading.cost_usd_per_1k.mean, own.cost_usd_per_1k.mean):
                listener.note(f"{ready.record.name} costs no less, or hardly less, as {form.words}.")
                continue
            served = served_form(copy.deepcopy(ready.model).cpu().eval(), data.shown_size)
            served_as = meter.cost_model.model_copy(update={"runtime": runtime, "precision": precision})
            loaded = open_runtime(served_as).load(served, _calibration(data, ready.normalisation))
            told = f"evaluating {ready.record.name} as {form.words}"
            val, test = (
                _correct(data, part, ready.normalisation, loaded, told, listener) for part in (data.val, data.test)
            )
        except (ConfigError, *FAILURES) as error:
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            listener.note(f"{ready.record.name} cannot be served as {form.words}: {line}")
            continue
        accuracies = {"val_accuracy": float(val.mean()), "test_accuracy": float(test.mean())}
        form = form.model_copy(update={"reading": reading, **accuracies})
        times = own.cost_usd_per_1k.mean / reading.cost_usd_per_1k.mean
        told = f"{ready.record.name} as {form.words} costs {times:.1f} times less"
        listener.note(f"{told}, with {form.val_accuracy:.1%} on validation.")
        found.append(Form(form, test))
    return tuple(found)


def _calibration(data: TaskData, stats: Normalisation) -> Tensor:
    """Training images from all over the data, as the teacher sees them."""
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
