"""Accuracy against cost: every student that was looked at, the finalists, the teacher, and what was asked of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import inf

from autokd.formatting import printable
from autokd.records import ARMS, Arm, FinalistSummary, Option, Report, Screening, TrialRecord
from autokd.report import format as fmt
from autokd.report.charts import svg
from autokd.report.charts.base import DONE, SHAPE_OF, Cell, Chart, Mark, at_cost, drawable
from autokd.report.charts.svg import Frame, Log, element, mark

APART = 3.0  # pixels: both arms train the same students, and their marks would cover each other
NAME, LINES = 26, 3  # letters of a line of a name beside a mark, and lines of a name
LINE, LETTER = 17, 12  # pixels between two lines, and of a letter on a phone


@dataclass(frozen=True)
class Looked:
    """The best that an arm reached with a student, on validation; arm None: screened by one recipe for both."""

    student: str
    arm: Arm | None
    cost: float
    accuracy: float


def accuracy_against_cost(
    report: Report, trials: Sequence[TrialRecord] = (), screening: Screening | None = None
) -> Chart:
    """Students by validation, finalists and teacher by test accuracy; budget and required accuracy as lines.

    Marks carry the key under which the page's what-if knows their cost.
    """
    looked = [found for found in looked_at(trials, screening) if drawable(found.cost)]
    finalists = [f for f in report.finalists if drawable(f.cost_usd_per_1k)]
    teachers = [t for t in _teachers(report) if drawable(t.cost_usd_per_1k)]
    needed = report.policy.min_retention * report.teacher.test_accuracy
    frame = _frame(report, looked, finalists, teachers, needed)
    picks = {o.finalist for o in (report.options.direct, report.options.distilled) if o is not None and o.worthwhile}
    ordered = sorted(finalists, key=lambda f: f.number in picks)
    named = [(f"s:{f.number}", f.student, f.cost_usd_per_1k, f.accuracy.mean) for f in finalists if f.number in picks]
    kept = report.options.teacher.student
    named += [
        (f"t:{k}", t.student, t.cost_usd_per_1k, t.accuracy.mean)
        for k, t in enumerate(_teachers(report))
        if k == 0 or t.student == kept
    ]
    taken = report.options.recommended(report.verdict)
    names = _names(frame, [row for row in named if drawable(row[2])])
    drawn = (
        _asked(frame, report.policy.max_cost, needed)
        + frame.axes("cost, $ per 1,000 requests (log scale)", "accuracy")
        + "".join(_small(frame, found) for found in looked)
        + "".join(_finalist(frame, f, names.get(f"s:{f.number}", ""), taken) for f in ordered)
        + "".join(
            _teacher(frame, report, k, form, names.get(f"t:{k}", ""))
            for k, form in enumerate(_teachers(report))
            if form in teachers
        )
        + _lines(frame, report.policy.max_cost, needed)
    )
    below = sum(found.accuracy < frame.y.low for found in looked) if isinstance(frame.y, svg.Linear) else 0
    return Chart(
        name="cost",
        title="Accuracy against cost",
        description=_description(report, len(looked), below),
        svg=frame.picture(drawn, data_area=_area(frame)),
        legend=_legend(report, looked, finalists),
        columns=(
            "kind", "number", "arm", "student", "cost_usd_per_1k_requests", "accuracy", "accuracy_low", "accuracy_high",
            "measured_on",
        ),
        rows=tuple(_rows(report, looked)),
    )  # fmt: skip


def looked_at(trials: Sequence[TrialRecord], screening: Screening | None) -> list[Looked]:
    """The best validation accuracy of every student by arm; of a screened student without a trial, that."""
    best: dict[tuple[str, Arm], Looked] = {}
    for trial in trials:
        if trial.val_accuracy is None:
            continue
        key = trial.student, trial.arm
        if key not in best or best[key].accuracy < trial.val_accuracy:
            best[key] = Looked(trial.student, trial.arm, trial.cost_usd_per_1k, trial.val_accuracy)
    tried = {student for student, _ in best}
    screened = screening.students if screening else ()
    others = [
        Looked(s.student, None, s.cost_usd_per_1k, s.val_accuracy)
        for s in screened
        if s.val_accuracy is not None and s.student not in tried
    ]
    return [*others, *best.values()]


def _teachers(report: Report) -> tuple[Option, ...]:
    return report.options.teacher_forms or (report.options.teacher,)


def _frame(
    report: Report, looked: list[Looked], finalists: list[FinalistSummary], teachers: list[Option], needed: float
) -> Frame:
    costs = [f.cost_usd_per_1k for f in finalists] + [t.cost_usd_per_1k for t in teachers]
    costs += [found.cost for found in looked]
    core = [needed, *(t.accuracy.mean for t in teachers)]
    core += [end for f in finalists for end in (f.accuracy.mean, f.accuracy.low, f.accuracy.high)]
    core += [found.accuracy for found in looked if found.accuracy >= needed]
    seen = [found.accuracy for found in looked]
    lowest = min(core) - max(max(core) - min(core), 0.01)  # what lies deeper is drawn at the lower edge
    core.append(max(min([*seen, min(core)]), lowest))
    return Frame(Log.over([report.policy.max_cost, *costs], fmt.usd), svg.percents(core), height=400)


def _area(frame: Frame) -> str:
    """What templates/picture.js has to know to move the marks."""
    ends = {"low": frame.y.low, "high": frame.y.high} if isinstance(frame.y, svg.Linear) else {}
    edges = {"left": frame.left, "right": frame.width - frame.right, "top": frame.top, "floor": frame.floor}
    return json.dumps({**edges, **ends})


def _asked(frame: Frame, budget: float, needed: float) -> str:
    """The ground on which an option is within budget and keeps enough."""
    return element(
        "rect", class_="allowed", x=frame.left, y=frame.top, width=svg.number(max(frame.px(budget) - frame.left, 0)),
        height=svg.number(max(frame.py(needed) - frame.top, 0)),
    )  # fmt: skip


def _lines(frame: Frame, budget: float, needed: float) -> str:
    x, y, end = frame.px(budget), frame.py(needed), frame.width - frame.right
    return svg.path(
        [(0, frame.top), (0, frame.floor)], "limit budget", transform=f"translate({svg.number(x)} 0)"
    ) + svg.path([(frame.left, 0), (end, 0)], "limit needed", transform=f"translate(0 {svg.number(y)})")


def _small(frame: Frame, found: Looked) -> str:
    where = "in the screening" if found.arm is None else f"best {DONE[found.arm]} trial"
    tip = f"{at_cost(found.student, found.cost)}: {fmt.percent(found.accuracy, 2)} on validation ({where})"
    y, below = frame.py(found.accuracy), frame.y.place(found.accuracy) < 0
    shift = 0.0 if found.arm is None else _shift(found.arm)
    return mark(
        "down" if below else SHAPE_OF[found.arm or "distill"], frame.px(found.cost) + shift,
        frame.floor - 5 if below else y, 4, f"small {found.arm or 'screened'}", tip,
        data_key=f"m:{found.student}", data_shift=shift,
    )  # fmt: skip


def _shift(arm: Arm) -> float:
    return -APART if arm == "distill" else APART


def _finalist(frame: Frame, found: FinalistSummary, name: str, taken: Option | None) -> str:
    """A finalist; a pick is large, and has its name and its interval; what is recommended is framed."""
    y, pick, chosen = frame.py(found.accuracy.mean), bool(name), taken.finalist if taken else None
    tip = (
        f"finalist {found.number}, {fmt.ROLES[found.role]}: {at_cost(found.student, found.cost_usd_per_1k)}: "
        f"{fmt.percent(found.accuracy.mean, 2)} on test ({fmt.percent_interval(found.accuracy, 2)})"
    )
    bar = svg.path([(0, frame.py(found.accuracy.low) - y), (0, frame.py(found.accuracy.high) - y)], "bar")
    shape = mark(SHAPE_OF[found.arm], 0, 0, 8.0 if pick else 5.5, "dot", "")
    x = frame.px(found.cost_usd_per_1k)
    return element(
        "g", bar if pick else "", shape, name,
        class_=f"{'pick' if pick else 'finalist'} {found.arm}{_ring(found.number == chosen)}",
        transform=f"translate({svg.number(x + _shift(found.arm))} {svg.number(y)})",
        data_tip=tip, data_key=f"s:{found.number}", data_shift=_shift(found.arm),
    )  # fmt: skip


def _teacher(frame: Frame, report: Report, k: int, form: Option, name: str) -> str:
    kept = form.student == report.options.teacher.student
    tip = f"teacher {at_cost(form.student, form.cost_usd_per_1k)}: {fmt.percent(form.accuracy.mean, 2)} on test"
    x = frame.px(form.cost_usd_per_1k)
    return element(
        "g", mark("star", 0, 0, 10 if kept else 7, "dot", ""), name,
        class_=f"pick teacher{_ring(kept and report.verdict == 'keep_teacher')}",
        transform=f"translate({svg.number(x)} {svg.number(frame.py(form.accuracy.mean))})",
        data_tip=tip, data_key=f"t:{k}", data_shift=0,
    )  # fmt: skip


def _ring(taken: bool) -> str:
    return " taken" if taken else ""


def _names(frame: Frame, rows: list[tuple[str, str, float, float]]) -> dict[str, str]:
    """Names beside their marks by key; rows: key, name, cost, accuracy. None covers another or leaves the picture.

    Each is below the one before it, so that this stays so where marks move sideways; students, which lie close
    together, come before the forms of the teacher.
    """
    written, last = {}, -inf
    for key, name, cost, accuracy in sorted(rows, key=lambda row: (row[0].startswith("t"), -row[3])):
        x, y = frame.px(cost), frame.py(accuracy)
        last = max(last + LINE, y - 7, frame.top + 10)
        lines = in_lines(name)
        right = x + 15 + LETTER * max(map(len, lines), default=0) < frame.width
        away = 15 if right else -15
        spans = (
            element("tspan", escape(printable(line)), x=away, y=svg.number(last - y + LINE * k))
            for k, line in enumerate(lines)
        )
        written[key] = element("text", *spans, class_="name", text_anchor="start" if right else "end")
        last += LINE * (len(lines) - 1)
    return written


def in_lines(name: str) -> list[str]:
    """A name in lines that end at its joints, or before its form; what does not fit into the last is left out."""
    lines = [""]
    for part in re.split(r"(?<=[@+_/ ])(?![^(]*\))", name):
        pieces = [part[k : k + NAME] for k in range(0, len(part.rstrip()), NAME)]
        if pieces and len(lines[-1]) + len(part.rstrip()) <= NAME:
            lines[-1] += part
        else:
            lines += pieces
    lines = [line.strip() for line in lines if line]
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], f"{lines[LINES - 1][: NAME - 1]}…"]


def _legend(report: Report, looked: list[Looked], finalists: list[FinalistSummary]) -> tuple[Mark, ...]:
    marks = [Mark("★", "teacher", "teacher")]
    arms = [arm for arm in ARMS if any(f.arm == arm for f in finalists)]
    marks += [Mark("●" if arm == "distill" else "◆", arm, f"{DONE[arm]}, large: best of its arm") for arm in arms]
    marks.append(Mark("◉", "framed", "framed: recommended"))
    if any(found.arm for found in looked):
        marks.append(Mark("○", "quiet", "pale: looked at"))
    marks += [
        Mark("┄", "budget", f"budget {fmt.usd(report.policy.max_cost)}"),
        Mark("┄", "needed", f"{fmt.share(report.policy.min_retention)} of the teacher's accuracy"),
    ]
    return tuple(marks)


def _rows(report: Report, looked: list[Looked]) -> Iterable[tuple[Cell, ...]]:
    for form in _teachers(report):
        ends = form.accuracy
        yield ("teacher", None, None, form.student, form.cost_usd_per_1k, ends.mean, ends.low, ends.high, "test")
    for f in report.finalists:
        a = f.accuracy
        yield ("finalist", f.number, f.arm, f.student, f.cost_usd_per_1k, a.mean, a.low, a.high, "test")
    for s in looked:
        yield ("looked at", None, s.arm, s.student, s.cost, s.accuracy, None, None, "validation")


def _description(report: Report, looked: int, below: int) -> str:
    teacher = report.options.teacher
    models = "1 model" if looked == 1 else f"{fmt.count(looked)} models"
    deeper = f", {fmt.count(below)} of them below the picture" if below else ""
    return (
        "Left is cheaper, higher is better; the tinted corner is what was asked for. Bars are "
        f"{fmt.share(teacher.accuracy.level)} intervals on test images. Pale: best validation accuracy of "
        f"{models} looked at{deeper}."
    )
