"""Money is counted once: what a trial took over from the screening is the trial's."""

from __future__ import annotations

from pathlib import Path

from autokd.config import SearchConfig
from autokd.pipeline.search_summary import taken_over
from autokd.records import EpochReport, Recipe, ScreenedStudent, Screening, TrialRecord
from autokd.runs.folder import Run
from autokd.runs.tables import write_history

RECIPE = Recipe(learning_rate=0.001, epochs=3, batch_size=32)
SIZES = {"parameters": 10, "ratio": 10.0, "macs": 5, "cost_usd_per_1k": 0.001}


def trial(run: Run, number: int, student: str, seconds: list[float]) -> TrialRecord:
    history = [
        EpochReport(epoch=i, train_loss=1, val_accuracy=0.5, val_nll=1, learning_rate=0.1, seconds=each)
        for i, each in enumerate(seconds, start=1)
    ]
    run.trial_path(number).mkdir(parents=True)
    write_history(run.trial_path(number), history)
    done = {"state": "complete", "epochs": 3, "val_accuracy": 0.5, "seconds": sum(seconds)}
    return TrialRecord(number=number, arm="direct", student=student, recipe=RECIPE, **SIZES, **done)


def test_only_epochs_that_a_trial_really_went_on_from_are_its_own(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", SearchConfig.of(teacher="resnet18", max_cost=1.0))
    students = tuple(
        ScreenedStudent(
            number=number,
            student=name,
            arms=("direct",),
            recipe=RECIPE,
            state="short_list",
            val_accuracies=(0.4, 0.5),
            epoch_seconds=(1.25, 2.5),
            **SIZES,
        )
        for number, name in enumerate(["went on", "began anew", "no trial"])
    )
    trials = [trial(run, 0, "went on", [1.25, 2.5, 4.0]), trial(run, 1, "began anew", [1.5, 2.75, 4.0])]
    assert taken_over(run, Screening(rungs=(), students=students), trials) == 3.75
