"""Options of a search that reach every training, and what the record then says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import autokd
from autokd.teacher import train
from autokd.training import loop
from autokd.training.compile_and_timing import Compilation
from autokd.tune import worker

REASON = "not compiled: it takes 9 s and saves 1 s over 9 steps (1 ms a step against 2 ms)"


@pytest.mark.slow
def test_averages_compiling_colour_and_erasing_reach_both_arms(
    quick: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings: list[loop.Training] = []
    taught: list[loop.Training] = []
    tried: list[int] = []

    def try_compile(model, image_size, batch_size, steps, device):
        tried.append(steps)
        return Compilation(used=False, reason=REASON)

    monkeypatch.setattr(worker, "train", lambda training: trainings.append(training) or loop.train(training))
    monkeypatch.setattr(worker, "try_compile", try_compile)
    monkeypatch.setattr(train, "train", lambda training: taught.append(training) or loop.train(training))
    options = {"ema": 0.9, "compile": True, "deterministic": False, "colour": 0.3, "erase": 0.5}
    result = autokd.search(**quick, **options, output=tmp_path / "run")
    assert {training.recipe.alpha > 0 for training in trainings} == {True, False}
    assert {training.recipe.ema for training in trainings} == {0.9}
    assert taught and not any(training.deterministic for training in [*trainings, *taught])
    transform = trainings[0].data.task.transform
    assert (transform.colour, transform.erase) == (0.3, 0.5)
    assert 0 < len(tried) < len(trainings), "a student is tried once in a process, for as many steps"
    assert {3, 2 * 3} <= set(tried), "short trainings of the screening, trials; the longer ones have more"
    trials = pd.read_csv(result.path / "trials.csv")
    assert set(trials["note"]) == {REASON}
    assert set(trials["ema"]) == {0.9}
    history = pd.read_csv(result.path / "trials" / "0" / "history.csv")
    assert list(history["epoch"]) == [1, 2]
    assert set(history["note"]) == {REASON}
    finalists = pd.read_csv(result.path / "finalists.csv")
    assert finalists[["nll", "calibration_error", "scaled_nll", "agreement", "negative_flips"]].notna().all(axis=None)
