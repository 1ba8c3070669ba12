"""int8 with 7 bits of a weight, as autokd quantises, beside all 8: accuracy on test and serving speed.

The models are the teacher and the kept students of finished runs. On x86 CPUs without VNNI all 8 bits overflow.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from timing import about, interleave, ratio, table
from torch import Tensor, nn

from autokd.cost.runtimes.int8 import quantised
from autokd.cost.runtimes.onnx_runtime import OnnxLoaded, session
from autokd.data.task import TaskData, open_task
from autokd.data.teacher_views import as_teacher_sees
from autokd.export.timm_folder import load_student
from autokd.pipeline import stages
from autokd.pipeline.cheaper_forms import calibration_images
from autokd.pipeline.services import Parts
from autokd.progress import Silent
from autokd.runs.folder import Run
from autokd.runs.store import WEIGHTS, read_finalists
from autokd.training.evaluate import Normalisation, accuracy, predict
from autokd.zoo.build import normalisation
from autokd.zoo.onnx_model import convert
from autokd.zoo.served_form import served_form


class Model(NamedTuple):
    """A trained model with the images that it sees."""

    name: str
    model: nn.Module
    data: TaskData
    stats: Normalisation


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Quantise, and print the table."""
    asked = _parse(arguments)
    rows = [_row(model, asked.rounds) for run in asked.runs for model in _models(run, asked.cache_dir)]
    print(about("cpu") + "\n")
    print(table(rows))
    return rows


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--cache-dir", type=Path, required=True, help="that of the runs, with their teachers")
    parser.add_argument("--rounds", type=int, default=30, help="how often each is timed")
    return parser.parse_args(arguments)


def _models(folder: Path, cache: Path) -> Iterator[Model]:
    run = Run.open(folder)
    config = run.settings.model_copy(update={"cache_dir": cache, "time_limit": None})
    prepared = stages.prepare(run, config, Parts(), Silent())
    data, ready = open_task(prepared.task_folder), prepared.ready
    assert ready is not None
    seen = as_teacher_sees(data, ready.record.preprocessing, "cpu", None)
    yield Model(ready.record.name, ready.model.cpu(), seen, ready.normalisation)
    for finalist in read_finalists(folder):
        weights = run.finalist_path(finalist.number, finalist.shipped.seed) / WEIGHTS
        if weights.exists():
            model = load_student(finalist, weights, prepared.task)
            name = f"{finalist.student}, {finalist.arm}, {folder.name}"
            yield Model(name, model, data, normalisation(finalist.student))


def _row(subject: Model, rounds: int) -> dict[str, object]:
    data, stats, model = subject.data, subject.stats, subject.model.eval()
    calibration = calibration_images(data, stats)
    whole = convert(served_form(model, data.shown_size), data.shown_size)
    forms = {bits: _loaded(quantised(whole, calibration.numpy(), bits == 7), calibration) for bits in (7, 8)}
    labels = data.labels[data.test]

    def right(answer: Callable[[Tensor], Tensor]) -> str:
        return f"{accuracy(predict(_Answering(answer), data, data.test, stats, 'cpu', 'fp32'), labels):.2%}"

    took = interleave({f"{bits}": lambda form=form: form.seconds(8) for bits, form in forms.items()}, rounds)
    return {
        "model": subject.name,
        "fp32": right(model),
        **{f"{bits} bits": right(form.answer) for bits, form in forms.items()},
        "time, 7 / 8 bits": ratio(took["7"], took["8"]),
    }


def _loaded(model: bytes, images: Tensor) -> OnnxLoaded:
    return OnnxLoaded(session(model), images.numpy(), 0.0)


class _Answering(nn.Module):
    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._answer = [answer]  # in a list: a module is none of this one's own

    def forward(self, images: Tensor) -> Tensor:
        return self._answer[0](images)


if __name__ == "__main__":
    main()
