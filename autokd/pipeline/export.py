"""A finalist of a finished run as a timm folder or an ONNX file, checked on test images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from autokd.errors import AutokdError, ConfigError, PathError, RunError
from autokd.export.model_card import Card, model_card
from autokd.files import check_folder, is_new, replacing_folder, write_text
from autokd.formatting import percent, usd
from autokd.progress import Listener, Silent
from autokd.records import FinalistRecord, Report
from autokd.runs.folder import Run
from autokd.runs.store import COSTS, REPORT, TASK, TEACHER, WEIGHTS, read_finalists

if TYPE_CHECKING:
    from torch import Tensor

    from autokd.data.image_store import Indices
    from autokd.data.task import TaskData
    from autokd.export.onnx_file import Checked

Kind = Literal["timm", "onnx"]
ExportPrecision = Literal["fp32", "int8"]
CHECKED = 100  # test images
_WRITTEN = {"README.md", "config.json", "model.safetensors", "pytorch_model.bin", "model.onnx"}  # by an export


@dataclass(frozen=True)
class Exported:
    """What was written, and how an ONNX file compares with the timm model."""

    folder: Path
    student: str
    finalist: int
    checked: Checked | None = None
    without_images: str | None = None  # why the check used made-up images, where it did


def export_run(
    path: Path,
    kind: Kind,
    output: Path,
    number: int | None = None,
    force: bool = False,
    listener: Listener | None = None,
    precision: ExportPrecision = "fp32",
) -> Exported:
    """Write the recommended student of a run, or the finalist of this number, with a model card into a folder.

    force: replace an earlier export. precision: of an ONNX file. Raises RunError for a run without a verdict, or with
    one that recommends no student, PathError for a folder that holds anything else than an export, and ConfigError for
    a timm folder in int8.
    """
    if precision != "fp32" and kind != "onnx":
        raise ConfigError(f"{precision} is written as ONNX only; add --format onnx, or leave out --precision")
    run = Run.open(path)
    if not REPORT.exists(run.path):
        raise RunError(f"{path} has no verdict yet; finish it with `autokd search --resume --output {path}`")
    report = REPORT.read(run.path)
    finalist = _chosen(run, report, number)
    _refuse_output(run, output, force)
    card = Card(report, finalist, TASK.read(run.path), TEACHER.read(run.path), COSTS.read(run.path).cost_model)
    if kind == "timm":
        _write_timm(run, output, card)
        return Exported(output, finalist.student, finalist.number)
    return _write_onnx(run, output, card, precision, listener or Silent())


def _chosen(run: Run, report: Report, number: int | None) -> FinalistRecord:
    finalists = {finalist.number: finalist for finalist in read_finalists(run.path)}
    if number is None:
        option = report.options.recommended(report.verdict)
        if option is None or option.finalist is None:
            raise RunError(
                f"the verdict of {run.path} is {report.verdict}: it recommends no student; name one with --finalist N"
            )
        number = option.finalist
    if number not in finalists:
        known = ", ".join(map(str, sorted(finalists))) or "none"
        raise RunError(f"{run.path} has no finalist {number}; those of finalists.csv are {known}")
    return finalists[number]


def _refuse_output(run: Run, output: Path, force: bool) -> None:
    check_folder(output)
    if is_new(output):
        return
    if output.resolve() == run.student_path.resolve():
        raise PathError(f"{output} is the run's own copy of its student; choose another --output")
    if {entry.name for entry in output.iterdir()} - _WRITTEN:
        raise PathError(f"{output} holds other files than an export; choose another --output")
    if not force:
        raise PathError(f"{output} already holds an export; add --force to replace it, or choose another --output")


def _write_timm(run: Run, output: Path, card: Card) -> None:
    from autokd.export.timm_folder import export_timm

    finalist = card.finalist
    weights = run.finalist_path(finalist.number, finalist.shipped.seed) / WEIGHTS
    export_timm(output, finalist, weights, card.task, model_card(card))


def _write_onnx(run: Run, output: Path, card: Card, precision: ExportPrecision, listener: Listener) -> Exported:
    """By way of the timm folder, whose logits are what the file has to give."""
    import timm

    from autokd.export.onnx_file import NAME, check_onnx, export_onnx
    from autokd.pipeline.cheaper_forms import calibration_images
    from autokd.zoo.build import normalisation

    student = card.finalist.student
    with TemporaryDirectory() as place:
        folder = Path(place) / "student"
        _write_timm(run, folder, card)
        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    reason, labels, calibration = None, None, None
    try:
        data = _opened(run, card, listener)
        images, labels = _test_images(data, student)
        calibration = calibration_images(data, normalisation(student)) if precision == "int8" else None
    except AutokdError as error:
        if precision == "int8":
            raise RunError(f"int8 is calibrated on training images, which are missing: {error}") from None
        reason, images = str(error), _made_up(card.task.transform.image_size)
    with replacing_folder(output) as work:
        export_onnx(work / NAME, model, student, card.task, calibration)
        checked = check_onnx(work / NAME, model, images, labels, precision)
        if precision == "int8":
            card = replace(card, more=tuple(_int8_rows(run, card, checked)))
        write_text(work / "README.md", model_card(card, "onnx"))
    return Exported(output, student, card.finalist.number, checked, reason)


def _int8_rows(run: Run, card: Card, checked: Checked) -> Iterator[tuple[str, str]]:
    """What a model card tells of int8: how it was made, and what it costs and keeps as far as that was measured."""
    from autokd.pipeline.cheaper_forms import CALIBRATION

    count = min(CALIBRATION, card.task.train)
    yield "precision", f"int8: weights by channel, in 7 bits, activations as seen on {count} training images"
    if checked.accuracy is not None and checked.model_accuracy is not None:
        both = percent(checked.accuracy, 2), percent(checked.model_accuracy, 2)
        yield "int8 beside fp32", f"{both[0]} and {both[1]} right of {checked.images} test images"
    weights = card.finalist.number, card.finalist.shipped.seed
    for known in COSTS.read(run.path).student_forms:
        for form in known.forms:
            if (known.finalist, known.seed) == weights and (form.runtime, form.precision) == ("onnxruntime", "int8"):
                cost = usd(form.reading.cost_usd_per_1k.mean)
                yield "test accuracy in int8", percent(form.test_accuracy, 2)
                yield "cost in int8", f"{cost} per 1,000 requests, ONNX Runtime, on {card.cost_model.instance}"


def _opened(run: Run, card: Card, listener: Listener) -> TaskData:
    """The data of the search; raises AutokdError where they are gone or have changed."""
    from autokd.data.task import open_task, prepare_task
    from autokd.teacher.prepare import input_size

    config = run.settings
    data = open_task(prepare_task(config, input_size(config.teacher), listener))
    if data.task.fingerprint != card.task.fingerprint:
        raise RunError(f"the data of {run.path} are not those of the search any more")
    return data


def _test_images(data: TaskData, student: str) -> tuple[Tensor, Indices]:
    """Normalised images spread over the test part, and their labels."""
    import numpy as np
    import torch

    from autokd.data.views import normalise
    from autokd.zoo.build import normalisation

    count = min(CHECKED, len(data.test))
    chosen = data.test[np.linspace(0, len(data.test) - 1, count).astype(np.int64)]
    images = torch.cat(list(data.clean_views(chosen, count)))
    return normalise(images, *normalisation(student)), data.labels[chosen]


def _made_up(size: int) -> Tensor:
    import torch

    return torch.randn(CHECKED, 3, size, size, generator=torch.Generator().manual_seed(0))
