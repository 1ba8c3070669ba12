"""The charts hold every trial, and curves are thinned where there are too many to see."""

from __future__ import annotations

from pathlib import Path

import pytest
from believable_run import make_decision, make_policy, make_run, make_trials

from autokd.records import EpochReport, Report
from autokd.report import assemble
from autokd.report.charts.accuracy_vs_cost import accuracy_against_cost
from autokd.report.charts.all import charts
from autokd.report.charts.learning_curves import CURVES_PER_ARM, POINTS_PER_CURVE, curve_numbers
from autokd.report.html import read_histories


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    run = make_run(tmp_path_factory.mktemp("figures") / "run", histories=False)
    return assemble(run, make_decision(), make_policy())


def traces(report: Report, number: int = 60) -> dict[str, object]:
    return {trace.name: trace for trace in accuracy_against_cost(report, make_trials(number)).figure.data}


def test_every_trial_with_an_accuracy_is_a_point(report: Report) -> None:
    drawn = [t for name, t in traces(report).items() if name.endswith(("complete", "pruned", "failed"))]
    numbers = sorted(int(row[0]) for trace in drawn for row in trace.customdata)
    assert numbers == [t.number for t in make_trials(60) if t.val_accuracy is not None]


def test_arms_differ_by_colour_and_symbol_and_pruned_trials_are_hollow(report: Report) -> None:
    found = traces(report)
    symbols = {name: trace.marker.symbol for name, trace in found.items() if ", " in name}
    assert symbols["distill, complete"] + "-open" == symbols["distill, pruned"]
    assert symbols["direct, complete"] + "-open" == symbols["direct, pruned"]
    assert symbols["distill, complete"] != symbols["direct, complete"]
    assert found["distill, complete"].marker.color != found["direct, complete"].marker.color


def test_finalists_carry_their_interval_and_the_teacher_is_a_star(report: Report) -> None:
    found = traces(report)
    pick = next(f for f in report.finalists if f.number == 100)
    bars = found["distill, finalists (test)"].error_y
    assert bars.array[0] == pytest.approx(pick.accuracy.high - pick.accuracy.mean, rel=1e-3)
    assert bars.arrayminus[0] == pytest.approx(pick.accuracy.mean - pick.accuracy.low, rel=1e-3)
    assert found["teacher (test)"].marker.symbol == "star"
    assert list(found["budget $0.002"].x) == [0.002, 0.002]


def test_the_legend_explains_every_trace(report: Report) -> None:
    chart = accuracy_against_cost(report, make_trials(60))
    assert [mark.label for mark in chart.legend] == [trace.name for trace in chart.figure.data]
    glyphs = {mark.label: mark.glyph for mark in chart.legend}
    assert (glyphs["distill, complete"], glyphs["distill, pruned"], glyphs["teacher (test)"]) == ("●", "○", "★")


def test_both_arms_of_one_student_are_set_apart(report: Report) -> None:
    student = make_trials(1)[0].student
    pair = [t.model_copy(update={"student": student, "cost_usd_per_1k": 1e-4}) for t in make_trials(2)]
    xs = [trace.x[0] for trace in accuracy_against_cost(report, pair).figure.data[:2]]
    assert xs[0] < 1e-4 < xs[1]


def test_the_cost_axis_is_logarithmic_and_shows_everything(report: Report) -> None:
    figure = accuracy_against_cost(report, make_trials(60)).figure
    assert figure.layout.xaxis.type == "log"
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert all(low < x < high for trace in figure.data for x in trace.x)


def test_a_narrow_axis_has_no_two_ticks_of_one_name(report: Report, tmp_path: Path) -> None:
    trials = make_trials(8)
    histories = read_histories(make_run(tmp_path / "run", trials), trials)
    assert {chart.figure.layout.yaxis.tickformat for chart in charts(report, trials, histories)} == {".2~%"}


def test_a_free_student_does_not_break_the_logarithm(report: Report) -> None:
    trials = [make_trials(1)[0].model_copy(update={"cost_usd_per_1k": cost}) for cost in (0.0, float("inf"))]
    assert "2 more ended" not in accuracy_against_cost(report, []).description
    assert len(accuracy_against_cost(report, trials).figure.data) > 0


def test_names_cannot_become_markup_in_a_hover_label(report: Report) -> None:
    trial = make_trials(1)[0].model_copy(update={"student": "<a href='http://x'>y</a>"})
    figure = accuracy_against_cost(report, [trial]).figure
    assert "<a" not in figure.to_json()


def test_curves_are_drawn_by_arm_with_the_best_in_bold(report: Report, tmp_path: Path) -> None:
    trials = make_trials(20)
    run = make_run(tmp_path / "run", trials)
    drawn = charts(report, trials, read_histories(run, trials))
    assert [chart.name for chart in drawn] == ["cost", "curves-distill", "curves-direct"]
    others, best = drawn[1].figure.data
    assert best.line.width > others.line.width
    assert drawn[1].figure.layout.yaxis.range == drawn[2].figure.layout.yaxis.range


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
    figure = charts(report, [trial], {trial.number: history})[1].figure
    epochs = [e for e in figure.data[0].x if e is not None]
    assert len(epochs) <= POINTS_PER_CURVE + 1
    assert (epochs[0], epochs[-1]) == (1, 999)


def test_a_single_trial_is_not_counted_in_the_plural(report: Report) -> None:
    trial = make_trials(1)[0]
    epoch = EpochReport(epoch=1, train_loss=1, val_accuracy=0.9, val_nll=1, learning_rate=0.001, seconds=1)
    (_, curve) = charts(report, [trial], {trial.number: (epoch,)})
    assert curve.description.startswith("1 trial; the best, trial 0 with")


def test_nothing_to_draw(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [], finalists=[])
    assert charts(assemble(run, make_decision("none"), make_policy()), [], {}) == ()
