"""The charts hold every student that was looked at, and curves are thinned where there are too many to see."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from believable_run import make_decision, make_policy, make_run, make_trials, recipe
from made_audit import make_audit
from made_savings import make_economics, make_map

from autokd.metrics import calibration_error, reliability
from autokd.records import EpochReport, Report, Rung, ScreenedStudent, Screening, ShortTraining
from autokd.report import assemble
from autokd.report.charts.accuracy_vs_cost import accuracy_against_cost, in_lines, looked_at
from autokd.report.charts.all import charts
from autokd.report.charts.base import Chart
from autokd.report.charts.learning_curves import CURVES_PER_ARM, POINTS_PER_CURVE, curve_numbers
from autokd.report.charts.recipes import MOST, recipe_charts
from autokd.report.charts.reliability import Reliability, read_reliability, reliability_diagram
from autokd.report.charts.svg import FEW, Linear, Log
from autokd.report.html import read_histories

EVIL = "<script>&\"'"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    run = make_run(tmp_path_factory.mktemp("figures") / "run", histories=False)
    return assemble(run, make_decision(), make_policy())


def marks(chart: Chart, class_: str = "") -> list[ElementTree.Element]:
    """The elements of a picture that say something when they are pointed at."""
    found = ElementTree.fromstring(chart.svg).iter()  # noqa: S314 - made here
    return [e for e in found if e.get("data-tip") and class_ in ("", *str(e.get("class")).split())]


def place(mark: ElementTree.Element) -> tuple[float, float]:
    found = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", str(mark.get("transform")))
    assert found
    return float(found[1]), float(found[2])


def table(chart: Chart) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(chart.csv)))


def test_every_student_is_a_mark_by_its_best_trial_in_each_arm(report: Report) -> None:
    trials = make_trials(60)
    measured = [t for t in trials if t.val_accuracy is not None]
    chart = accuracy_against_cost(report, trials)
    assert len(marks(chart, "small")) == len({(t.student, t.arm) for t in measured})
    best = {(t.student, t.arm): 0.0 for t in measured}
    for trial in measured:
        best[trial.student, trial.arm] = max(best[trial.student, trial.arm], trial.val_accuracy or 0)
    assert {(f.student, f.arm): f.accuracy for f in looked_at(trials, None)} == best


def test_a_screened_student_without_a_trial_is_a_mark_too(report: Report) -> None:
    chart = accuracy_against_cost(report, [], make_screening())
    assert len(marks(chart, "screened")) == 2


def test_picks_carry_their_interval_and_the_teacher_is_a_star(report: Report) -> None:
    chart = accuracy_against_cost(report)
    pick = next(f for f in report.finalists if f.number == 100)
    (drawn,) = (mark for mark in marks(chart, "pick") if mark.get("data-key") == "s:100")
    bar = next(e for e in drawn.iter() if e.get("class") == "bar")
    ends = [float(y) for y in re.findall(r"0 (-?[\d.]+)", str(bar.get("d")))]
    higher, lower = pick.accuracy.high - pick.accuracy.mean, pick.accuracy.mean - pick.accuracy.low
    assert ends[0] / -ends[1] == pytest.approx(lower / higher, rel=0.05)
    assert [mark.get("data-key") for mark in marks(chart, "teacher")] == ["t:0"]
    assert "★" in [mark.glyph for mark in chart.legend]
    assert len(marks(chart, "pick")) == 3 and len(marks(chart, "finalist")) == 3


def test_budget_and_required_accuracy_are_lines_around_what_was_asked(report: Report) -> None:
    root = ElementTree.fromstring(accuracy_against_cost(report).svg)  # noqa: S314 - made here
    classes = [str(e.get("class")) for e in root.iter()]
    assert {"allowed", "limit budget", "limit needed"} <= set(classes)
    assert "budget $0.002" in [mark.label for mark in accuracy_against_cost(report).legend]


def test_dearer_is_further_right_and_better_is_higher(report: Report) -> None:
    by_key = {str(mark.get("data-key")): place(mark) for mark in marks(accuracy_against_cost(report))}
    assert by_key["s:100"][0] < by_key["t:0"][0]  # $0.000164, $0.00138
    assert by_key["t:0"][1] < by_key["s:100"][1]  # 97.5 %, 96.3 %


def test_both_arms_of_one_student_are_set_apart(report: Report) -> None:
    student = make_trials(1)[0].student
    pair = [
        t.model_copy(update={"student": student, "cost_usd_per_1k": 1e-4, "val_accuracy": 0.9}) for t in make_trials(2)
    ]
    xs = [place(mark)[0] for mark in marks(accuracy_against_cost(report, pair), "small")]
    assert xs[1] - xs[0] == pytest.approx(6)


def test_names_of_marks_never_cover_each_other(report: Report) -> None:
    same = tuple(
        f.model_copy(update={"accuracy": report.options.teacher.accuracy, "cost_usd_per_1k": 0.00138})
        for f in report.finalists
    )
    picture = accuracy_against_cost(report.model_copy(update={"finalists": same})).svg
    heights = sorted(float(y) for y in re.findall(r'<tspan x="-?15" y="(-?[\d.]+)"', picture))
    assert len(heights) == 3
    assert all(b - a >= 16 for a, b in itertools.pairwise(heights))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("resnet18", ["resnet18"]),
        ("resnet152 (int8 in ONNX Runtime)", ["resnet152", "(int8 in ONNX Runtime)"]),
        ("resnet18@width=0.375+depth=0.5", ["resnet18@width=0.375+", "depth=0.5"]),
        ("a" * 200, ["a" * 26, "a" * 26, f"{'a' * 25}…"]),
        ("", []),
    ],
)
def test_a_long_name_is_written_in_lines(name: str, lines: list[str]) -> None:
    assert in_lines(name) == lines


def test_the_legend_tells_the_best_of_an_arm_from_what_is_recommended(report: Report) -> None:
    labels = [mark.label for mark in accuracy_against_cost(report).legend]
    assert "distilled, large: best of its arm" in labels and "framed: recommended" in labels
    assert not [label for label in labels if "pick" in label]


def test_a_student_without_a_cost_has_no_place(report: Report) -> None:
    trials = [
        t.model_copy(update={"cost_usd_per_1k": cost})
        for t, cost in zip(make_trials(2), (0.0, float("inf")), strict=True)
    ]
    assert not marks(accuracy_against_cost(report, trials), "small")


@pytest.mark.parametrize(("low", "high"), [(1e-5, 1e2), (0.0011, 0.0013), (3e-4, 2e-3), (0.9, 1.1)])
def test_ticks_of_a_log_scale_are_few_and_inside(low: float, high: float) -> None:
    ticks = Log.over([low, high], str).ticks
    assert 1 <= len(ticks) <= FEW
    assert all(0 <= Log.over([low, high], str).place(value) <= 1 for value, _ in ticks)


@pytest.mark.parametrize(("low", "high"), [(0.9, 0.99), (0.0, 12.0), (-0.4, 0.5), (0.9510, 0.9531), (-3.0, 8e6)])
def test_ticks_of_a_linear_scale_are_few_inside_and_told_apart(low: float, high: float) -> None:
    ticks = Linear(low, high, lambda value: f"{value:.6g}").ticks
    assert 2 <= len(ticks) <= FEW + 2
    assert len({label for _, label in ticks}) == len(ticks)
    assert all(low - 1e-6 * (high - low) <= value <= high + 1e-6 * (high - low) for value, _ in ticks)


def test_every_chart_is_well_formed_and_has_words_and_numbers(report: Report, tmp_path: Path) -> None:
    trials = [t.model_copy(update={"student": EVIL}) for t in make_trials(20)]
    run = make_run(tmp_path / "run", trials)
    changes = {"economics": make_economics(), "verdict_map": make_map(), "audit": make_audit()}
    whole = report.model_copy(update=changes)
    found = charts(whole, trials, read_histories(run, trials), make_screening())
    assert list(found) == [
        "cost", "map", "money", "differences", "classes", "screening", "curves-distill", "curves-direct",
        "temperature", "alpha",
    ]  # fmt: skip
    for chart in found.values():
        ElementTree.fromstring(chart.svg)  # noqa: S314 - made here
        assert "<script" not in chart.svg and len(chart.description) > 40 and chart.legend
        assert table(chart), chart.name
        assert chart.csv_link.startswith("data:text/csv") and '"' not in chart.csv_link


def test_the_numbers_of_a_chart_never_begin_a_formula() -> None:
    chart = Chart(
        "x", "x", "x", "<svg/>", (), ("name", "value", "gap"), (("=1+1", -0.5, None), ("a\r\nb", 1.0, float("inf")))
    )
    assert chart.csv == 'name,value,gap\r\n\'=1+1,-0.5,\r\n"a\r\nb",1.0,\r\n'


def make_screening() -> Screening:
    students = tuple(
        ScreenedStudent(
            number=k, student=name, parameters=10, ratio=9.0, macs=10, cost_usd_per_1k=cost, arms=("distill",),
            recipe=recipe(), state="stopped",
            trainings=tuple(ShortTraining(planned=n, val_accuracies=(0.4,) * n) for n in range(1, 2 + k)),
        )
        for k, (name, cost) in enumerate((("alone_a", 1e-4), ("alone_b", 2e-4)))
    )  # fmt: skip
    rungs = tuple(Rung(epochs=n, staying=1) for n in (1, 2))
    return Screening(students=students, rungs=rungs, short_list=("alone_b",))


def test_the_map_marks_what_was_asked(report: Report) -> None:
    asked = report.model_copy(update={"verdict_map": make_map(), "policy": make_policy(requests_per_month=1e6)})
    found = charts(asked, [], {})["map"]
    assert len(marks(found, "square")) == 40 and len(marks(found, "here")) == 1
    assert "15 of 40 squares" in found.description
    squares = {(row["used_at_peak"], row["requests_per_month"]): row["verdict"] for row in table(found)}
    assert squares["0.9", "1000000000.0"] == "distill" and squares["0.1", "10000.0"] == "none"
    assert "1\u00a0billion requests a month" in found.svg and "what was asked for" in [m.label for m in found.legend]
    nowhere = report.model_copy(update={"verdict_map": make_map(), "policy": make_policy(requests_per_month=None)})
    without = charts(nowhere, [], {})["map"]
    assert not marks(without, "here") and "No volume was given" in without.description
    assert "what was asked for" not in [mark.label for mark in without.legend]


def test_money_starts_at_what_was_paid_and_crosses_zero_at_break_even(report: Report) -> None:
    found = charts(report.model_copy(update={"economics": make_economics()}), [], {})["money"]
    rows = table(found)
    assert float(rows[0]["usd_saved"]) == pytest.approx(-1.2)
    assert float(rows[-1]["usd_saved"]) == pytest.approx(12 * 2.4 - 1.2)
    assert "paid back on" in found.svg
    unpaid = report.model_copy(update={"economics": make_economics(), "policy": make_policy(horizon_months=0.25)})
    assert "paid back on" not in charts(unpaid, [], {})["money"].svg
    assert "money" not in charts(report.model_copy(update={"economics": make_economics(volume=False)}), [], {})


def test_classes_are_sorted_from_loss_to_gain(report: Report) -> None:
    changes = [float(row["change_in_recall"]) for row in table(charts(with_audit(report), [], {})["classes"])]
    assert changes == sorted(changes)


def test_a_reliability_diagram_has_a_mark_for_every_bin_with_images() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.92, 0.08], [0.6, 0.4], [0.2, 0.8]]))
    bins = reliability(logits, np.array([0, 1, 0, 1]))
    assert [(round(b.confidence, 3), b.accuracy, b.images) for b in bins] == [(0.6, 1, 1), (0.8, 1, 1), (0.91, 0.5, 2)]
    found = charts_of_reliability((Reliability("teacher", "big", bins), Reliability("direct", "small", bins[:1])))
    assert len(marks(found, "dot")) == 4
    assert [row["test_images"] for row in table(found)] == ["1", "1", "2", "1"]
    assert reliability_diagram(()) is None


def test_the_error_of_calibration_is_what_the_diagram_shows() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(500, 5)) * 2, rng.integers(0, 5, 500)
    shown = sum(b.images * abs(b.accuracy - b.confidence) for b in reliability(logits, labels)) / 500
    assert shown == pytest.approx(calibration_error(logits, labels))


def test_a_stored_run_without_logits_has_no_diagram(report: Report, tmp_path: Path) -> None:
    assert read_reliability(make_run(tmp_path / "run", []), report) == ()


def charts_of_reliability(models: tuple[Reliability, ...]) -> Chart:
    found = reliability_diagram(models)
    assert found is not None
    return found


def with_audit(report: Report) -> Report:
    return report.model_copy(update={"audit": make_audit()})


def test_many_recipes_are_a_sample_with_the_best() -> None:
    trials = make_trials(5_000)
    temperature, alpha = recipe_charts(trials)
    assert len(temperature.rows) == len(alpha.rows) <= MOST
    best = max((t for t in trials if t.arm == "distill"), key=lambda t: t.val_accuracy or 0)
    assert temperature.rows[0][0] == best.number
    assert recipe_charts([t for t in trials if t.arm == "direct"]) == ()


def test_curves_are_drawn_by_arm_with_the_best_in_bold_and_the_stopped_hollow(report: Report, tmp_path: Path) -> None:
    trials = make_trials(20)
    run = make_run(tmp_path / "run", trials)
    drawn = charts(report, trials, read_histories(run, trials))["curves-distill"]
    mine = [t for t in trials if t.arm == "distill" and t.val_accuracy is not None]
    assert len(marks(drawn, "curve")) == len(mine) and len(marks(drawn, "best")) == 1
    assert len(marks(drawn, "hollow")) == sum(t.state == "pruned" for t in mine) > 0


def test_curves_of_ten_thousand_trials_are_a_sample_with_the_best(report: Report) -> None:
    trials = make_trials(10_000)
    numbers = curve_numbers(trials)
    for arm in ("distill", "direct"):
        mine = [t for t in trials if t.arm == arm]
        assert 100 <= sum(t.number in numbers for t in mine) <= CURVES_PER_ARM
        assert max(mine, key=lambda t: t.val_accuracy or 0).number in numbers


def test_a_long_curve_is_thinned_and_keeps_its_end(report: Report) -> None:
    trial = make_trials(1)[0].model_copy(update={"val_accuracy": 0.9, "state": "complete"})
    history = [
        EpochReport(epoch=e, train_loss=1, val_accuracy=0.9, val_nll=1, learning_rate=1e-3, seconds=1)
        for e in range(1, 1_000)
    ]
    epochs = [int(row["epoch"]) for row in table(charts(report, [trial], {trial.number: history})["curves-distill"])]
    assert len(epochs) <= POINTS_PER_CURVE + 1
    assert (epochs[0], epochs[-1]) == (1, 999)


def test_a_single_trial_is_not_counted_in_the_plural(report: Report) -> None:
    trial = make_trials(1)[0]
    epoch = EpochReport(epoch=1, train_loss=1, val_accuracy=0.9, val_nll=1, learning_rate=0.001, seconds=1)
    curve = charts(report, [trial], {trial.number: (epoch,)})["curves-distill"]
    assert curve.description.startswith("1 trial, 0 of them stopped early; the best, trial 0 with")


def test_nothing_to_draw(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], finalists=[])
    assert charts(assemble(run, make_decision("none"), make_policy()), [], {}) == {}
