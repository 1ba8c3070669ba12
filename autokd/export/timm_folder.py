"""A folder that `timm.create_model("local-dir:FOLDER", pretrained=True)` loads: same logits, same preprocessing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import save_for_hf
from torch import nn

from autokd.data.views import store_size
from autokd.errors import DiskError, RunError
from autokd.files import replacing_folder, write_text
from autokd.naming import named, set_to
from autokd.records import FinalistRecord, Task
from autokd.zoo.build import build, build_arguments, normalisation, reason

STUDENT = "student"  # key of config.json: the name by which `autokd students` and `autokd measure` know the model


def export_timm(folder: Path, finalist: FinalistRecord, weights: Path, task: Task, card: str) -> None:
    """Write weights, config.json with classes and preprocessing, and a model card; replaces an older export.

    Raises RunError as `load_student` does.
    """
    model = load_student(finalist, weights, task)
    with replacing_folder(folder) as work:
        try:
            save_for_hf(
                model,
                str(work),
                model_config={"label_names": list(task.classes), STUDENT: finalist.student},
                model_args=build_arguments(finalist.student, task.transform.image_size),
                data_config=data_config(finalist.student, task),
                safe_serialization=True,
            )
        except (OSError, SafetensorError) as error:
            raise DiskError(
                f"{folder} cannot be written ({reason(error)}); make room on the disk and go on with "
                f"{set_to('resume', True)}"
            ) from None
        write_text(work / "README.md", card)


def load_student(finalist: FinalistRecord, weights: Path, task: Task) -> nn.Module:
    """A finalist with the weights of one of its seeds, on the CPU, as it was trained.

    Raises RunError where the weights do not lie where the confirmation left them, or have changed since.
    """
    if not weights.exists():
        raise RunError(f"{weights} is missing; start the search again with another {named('output')}")
    model = build(finalist.student, len(task.classes), task.transform.image_size)
    try:
        model.load_state_dict(load_file(str(weights)))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"{weights} is damaged ({reason(error)}); start the search again with another {named('output')}"
        ) from None
    return model


def data_config(student: str, task: Task) -> dict[str, Any]:
    """timm's description of the preprocessing that the student was evaluated with."""
    size = task.transform.image_size
    mean, std = normalisation(student)
    return {
        "input_size": (3, size, size),
        "interpolation": task.transform.interpolation,
        "crop_pct": _crop_pct(size, store_size(task.transform)),
        "crop_mode": "center",
        "mean": mean,
        "std": std,
    }


def _crop_pct(size: int, stored: int) -> float:
    """timm resizes to floor(size / crop_pct), which has to come out as `stored`."""
    exact = size / stored
    return exact if math.floor(size / exact) == stored else size / (stored + 0.5)
