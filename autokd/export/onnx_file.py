"""An ONNX file of the student in its served form, with all that a server needs to know beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from autokd.cost.runtimes.int8 import quantised
from autokd.cost.runtimes.onnx_runtime import session
from autokd.data.image_store import Indices
from autokd.data.views import store_size
from autokd.errors import RunError
from autokd.files import write_bytes
from autokd.records import Precision, Task
from autokd.zoo.batch_norms import largest_difference
from autokd.zoo.build import normalisation, reason
from autokd.zoo.onnx_model import INPUT, convert
from autokd.zoo.served_form import served_form

NAME = "model.onnx"
ALIKE = 1e-3  # largest difference of the logits, as a share of the largest logit


@dataclass(frozen=True)
class Checked:
    """Logits of the file beside those of the model that it was made from."""

    images: int
    largest_difference: float
    share_of_largest: float  # the same, as a share of the largest logit
    accuracy: float | None  # of the file; None where no labels are known
    model_accuracy: float | None


def export_onnx(
    path: Path, model: nn.Module, student: str, task: Task, calibration: torch.Tensor | None = None
) -> None:
    """Write the student in its served form; raises RunError for one that cannot be converted.

    Input `images`: float32 [batch, 3, size, size], normalised as the metadata say; output `logits`: [batch, classes].
    calibration: such images, for a file in int8; None for fp32.
    """
    size = task.transform.image_size
    try:
        proto = convert(served_form(model, size), size)
        if calibration is not None:
            proto = onnx.load_from_string(quantised(proto, calibration.numpy()))
    except RuntimeError as error:
        raise RunError(
            f"{student} cannot be converted to ONNX ({reason(error)}); export it with --format timm"
        ) from error
    proto.producer_name, proto.producer_version = "autokd", metadata.version("autokd")
    precision = "fp32" if calibration is None else "int8"
    for key, value in (about(student, task) | {"precision": precision}).items():
        proto.metadata_props.add(key=key, value=value)
    write_bytes(path, proto.SerializeToString())


def about(student: str, task: Task) -> dict[str, str]:
    """The metadata: preprocessing constants and classes; lists are JSON."""
    mean, std = normalisation(student)
    return {
        "student": student,
        "classes": json.dumps(list(task.classes), ensure_ascii=False),
        "image_size": str(task.transform.image_size),
        "resized": str(store_size(task.transform)),  # pixels of the shorter side before the centre is cut out
        "interpolation": task.transform.interpolation,
        "mean": json.dumps(mean),
        "std": json.dumps(std),
    }


def check_onnx(
    path: Path, model: nn.Module, images: torch.Tensor, labels: Indices | None, precision: Precision
) -> Checked:
    """Compare the file with the model on normalised images; raises RunError where their logits are not alike in fp32.

    In int8 they differ, and what that costs in accuracy is only told.
    """
    with torch.inference_mode():
        expected = model.eval()(images)
    found = torch.from_numpy(session(path.read_bytes()).run(None, {INPUT: images.numpy()})[0])
    share = largest_difference(expected, found)
    checked = Checked(
        images=len(images),
        largest_difference=float((expected - found).abs().max()),
        share_of_largest=share,
        accuracy=_accuracy(found, labels),
        model_accuracy=_accuracy(expected, labels),
    )
    if precision == "fp32" and not share <= ALIKE:
        raise RunError(
            f"{path.name} gives other logits than the timm model (by {share:.1%} of the largest); "
            "export it with --format timm"
        )
    return checked


def _accuracy(logits: torch.Tensor, labels: Indices | None) -> float | None:
    return None if labels is None else float(np.mean(logits.argmax(1).numpy() == labels))
