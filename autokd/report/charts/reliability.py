"""The reliability diagram: how often a model is right when it is that sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from autokd.errors import RunError
from autokd.metrics import Bin, reliability
from autokd.records import Option, Report
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import DONE, Chart, Mark
from autokd.report.charts.svg import Frame, Linear, Shape, mark, short_percent
from autokd.runs.arrays import read_labels, read_logits, read_teacher_logits
from autokd.runs.folder import Run
from autokd.runs.store import read_finalists

SHAPES: dict[str, Shape] = {"teacher": "star", "distill": "circle", "direct": "diamond"}
ROOM = 0.02  # beside 0 and 1


@dataclass(frozen=True)
class Reliability:
    """One model on the test images; `tone` is teacher, or the student's arm."""

    tone: Literal["teacher", "distill", "direct"]
    name: str
    bins: tuple[Bin, ...]


def read_reliability(run: Run, report: Report) -> tuple[Reliability, ...]:
    """Of the three options, students by their first seed; without those whose logits the run folder does not hold."""
    found: list[Reliability] = []
    options: tuple[tuple[Option | None, Literal["distill", "direct"]], ...] = (
        (report.options.distilled, "distill"),
        (report.options.direct, "direct"),
    )
    try:
        labels = read_labels(run.path, "test")
        teacher = reliability(read_teacher_logits(run.path, len(labels)), labels)
        found.append(Reliability("teacher", report.teacher.name, teacher))
        finalists = {finalist.number: finalist for finalist in read_finalists(run.path)}
        for option, tone in options:
            if option is not None and option.finalist in finalists:
                seed = finalists[option.finalist].seeds[0].seed
                logits = read_logits(run.finalist_path(option.finalist, seed), "test", len(labels))
                found.append(Reliability(tone, option.student, reliability(logits, labels)))
    except RunError:
        pass
    return tuple(found)


def reliability_diagram(models: Sequence[Reliability]) -> Chart | None:
    """Accuracy against confidence, both by bin; None without a model."""
    if not models:
        return None
    least = min(each.confidence for model in models for each in model.bins)
    lowest = min(each.accuracy for model in models for each in model.bins)
    frame = Frame(
        Linear(least - ROOM, 1 + ROOM, short_percent), Linear(min(lowest, least) - ROOM, 1 + ROOM, short_percent),
        height=340,
    )  # fmt: skip
    ideal = svg.path([(frame.px(least), frame.py(least)), (frame.px(1), frame.py(1))], "limit needed")
    return Chart(
        name="reliability",
        title="How sure, and how often right",
        description=(
            "On the dotted line a model is right as often as it is sure; below it is too sure. The larger a mark, "
            "the more test images it holds. Students by their first seed, without scaling."
        ),
        svg=frame.picture(
            frame.axes("confidence (the largest probability)", "accuracy"), ideal, *(_model(frame, m) for m in models)
        ),
        legend=tuple(_entry(model) for model in models),
        columns=("model", "name", "confidence", "accuracy", "test_images"),
        rows=tuple((m.tone, m.name, b.confidence, b.accuracy, b.images) for m in models for b in m.bins),
    )


def _entry(model: Reliability) -> Mark:
    if model.tone == "teacher":
        return Mark("★", model.tone, "teacher")
    return Mark("●" if model.tone == "distill" else "◆", model.tone, DONE[model.tone])


def _model(frame: Frame, model: Reliability) -> str:
    points = [(frame.px(each.confidence), frame.py(each.accuracy)) for each in model.bins]
    every = sum(each.images for each in model.bins)
    marks = [
        mark(
            SHAPES[model.tone], x, y, 2.5 + 8 * sqrt(each.images / every), f"dot {model.tone}",
            f"{model.name}: {fmt.percent(each.confidence)} sure, {fmt.percent(each.accuracy)} right, "
            f"{fmt.count(each.images)} images",
        )
        for each, (x, y) in zip(model.bins, points, strict=True)
    ]  # fmt: skip
    return "".join(marks)
