"""The screening on the page: what was trained for how long, and every student's accuracy after each training."""

from __future__ import annotations

import pytest
from believable_run import make_decision, make_policy, make_run, recipe

from autokd.records import Report, Rung, ScreenedStudent, Screening, ShortTraining
from autokd.report import assemble
from autokd.report.format import NOTHING
from autokd.report.sections.screening import screened, screening_table


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    run = make_run(tmp_path_factory.mktemp("screening") / "run", histories=False)
    return assemble(run, make_decision(), make_policy())


def student(name: str, state: str, *trainings: tuple[float, ...]) -> ScreenedStudent:
    """trainings: the accuracies of each; the first is planned for two epochs, the second for four."""
    planned = zip((2, 4), trainings, strict=False)
    return ScreenedStudent.model_validate(
        {"number": 0, "student": name, "arms": ("direct",), "parameters": 10, "ratio": 9.0, "macs": 10}
        | {"cost_usd_per_1k": 1e-4, "recipe": recipe(), "state": state}
        | {"trainings": [ShortTraining(planned=n, val_accuracies=seen) for n, seen in planned]}
    )


def screening(*students: ScreenedStudent) -> Screening:
    rungs = (Rung(epochs=2, staying=5), Rung(epochs=4, staying=2))
    return Screening(rungs=rungs, students=students, short_list=("long",), agreement=0.5)


def test_every_training_is_told_with_its_epochs(report: Report) -> None:
    text = screened(report, screening(student("long", "short_list", (0.3, 0.5), (0.4, 0.5, 0.6, 0.7))))
    assert "for 2 epochs (5 of each arm stay); those that stay, again for 4 epochs (2 of each arm stay)." in text
    assert "correlation of 0.50" in text
    once = screening(student("long", "short_list", (0.5,))).model_copy(update={"rungs": (Rung(epochs=1, staying=2),)})
    assert "for 1 epoch (2 of each arm stay). In each, the learning rate" in screened(report, once)
    assert screened(report, None) == screened(report, screening()) == ""


def test_a_student_has_the_accuracy_of_each_training_that_is_done() -> None:
    table = screening_table(
        screening(
            student("short", "stopped", (0.3, 0.5)),
            student("long", "short_list", (0.3, 0.5), (0.4, 0.5, 0.6, 0.7)),
            student("cut short", "stopped", (0.3,)),
        )
    )
    names = [column.label for column in table.columns]
    rows = [dict(zip(names, row, strict=True)) for row in table.rows]
    seen = [(row["Accuracy after 2 epochs, %"], row["Accuracy after 4 epochs, %"], row["Epochs"]) for row in rows]
    assert seen == [("50.0", "70.0", "6"), ("50.0", NOTHING, "2"), (NOTHING, NOTHING, "1")]
    assert table.marked == {0}
