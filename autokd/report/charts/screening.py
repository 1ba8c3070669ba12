"""The screening: every student's validation accuracy after each training against its cost, and who went on."""

from __future__ import annotations

from autokd.records import ScreenedStudent, Screening
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import Chart, Mark, at_cost, drawable
from autokd.report.charts.svg import Frame, Log, mark, percents
from autokd.report.sections.screening import epochs_of


def screening_by_cost(screening: Screening) -> Chart | None:
    """A line for each student, from its first training to its last, at its cost; None with nothing to draw."""
    drawn = [s for s in screening.students if s.epochs and drawable(s.cost_usd_per_1k)]
    if not drawn:
        return None
    frame = Frame(
        Log.over([student.cost_usd_per_1k for student in drawn], fmt.usd),
        percents([value for student in drawn for _, value in _seen(student)]),
    )
    ordered = sorted(drawn, key=lambda s: s.student in screening.short_list)
    return Chart(
        name="screening",
        title="Screening: every student that was looked at",
        description=_description(screening),
        svg=frame.picture(
            frame.axes("cost, $ per 1,000 requests (log scale)", "validation accuracy"),
            *(_student(frame, student, student.student in screening.short_list) for student in ordered),
        ),
        legend=(Mark("●", "chosen", "on the short list"), Mark("●", "quiet", "stopped")),
        columns=("student", "cost_usd_per_1k_requests", "epochs_of_training", "val_accuracy", "on_short_list"),
        rows=tuple(
            (s.student, s.cost_usd_per_1k, epochs, value, str(s.student in screening.short_list).lower())
            for s in drawn
            for epochs, value in _seen(s)
        ),
    )


def _student(frame: Frame, student: ScreenedStudent, listed: bool) -> str:
    x, class_ = frame.px(student.cost_usd_per_1k), "chosen" if listed else "quiet"
    seen = _seen(student)
    points = [(x, frame.py(value)) for _, value in seen]
    line = svg.path(points, f"thin {class_}") if len(points) > 1 else ""
    epochs, accuracy = seen[-1]
    how_long = f"after a training of {epochs_of(epochs)}" if student.looks else "in a training that was cut short"
    tip = f"{at_cost(student.student, student.cost_usd_per_1k)}: {fmt.percent(accuracy, 2)} {how_long}"
    return line + mark("circle", *points[-1], 5 if listed else 4, class_, tip)


def _seen(student: ScreenedStudent) -> list[tuple[int, float]]:
    """Epochs and accuracy of each training that is done; where none is, of what was trained."""
    done = [(training.planned, training.val_accuracies[-1]) for training in student.trainings if training.done]
    return done or [(student.epochs, student.val_accuracy or 0.0)]


def _description(screening: Screening) -> str:
    rungs = fmt.listed(epochs_of(rung.epochs) for rung in screening.rungs)
    lines = " Each line goes from a student's first training to its last." if len(screening.rungs) > 1 else ""
    return f"{screening.looked_at} of {len(screening.students)} students after trainings of {rungs}.{lines}"
