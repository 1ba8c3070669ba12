"""A training that is longer than the soft labels have views sees these views again, in both arms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers_images import small_task
from helpers_teachers import VIEWS_SEED, soft_labels

from autokd.records import EpochReport, Proposal, Recipe
from autokd.training.batches import batches
from autokd.training.loop import Training
from autokd.tune import worker
from autokd.tune.engines.protocol import Job, Outcome
from autokd.tune.worker import TrainingFactory


@pytest.mark.parametrize("alpha", [0.0, 0.9])
def test_longer_trainings_see_the_views_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alpha: float) -> None:
    data = small_task()
    monkeypatch.setattr(worker, "open_task", lambda *_: data)
    seen: list[Training] = []
    trained = worker.train
    monkeypatch.setattr(worker, "train", lambda training: seen.append(training) or trained(training))
    labels = soft_labels(tmp_path / "cache", 2)
    recipe = Recipe(learning_rate=1e-3, epochs=5, batch_size=20, alpha=alpha)
    arm = "distill" if alpha else "direct"
    proposal = Proposal(number=0, arm=arm, student="test_resnet", recipe=recipe)
    job = Job(key="a", proposal=proposal, seed=1, folder=str(tmp_path / "run"), final=False)
    workshop = TrainingFactory(tmp_path, labels, VIEWS_SEED, "cpu", loader_workers=0)(0, 1)
    reports = [*workshop.do(job)]
    assert [type(report) for report in reports] == [EpochReport] * 5 + [Outcome]
    views = [{batch.view for batch in batches(seen[0], epoch)} for epoch in range(1, 6)]
    assert views == [{0}, {1}, {0}, {1}, {0}]
    assert np.isfinite([report.train_loss for report in reports if isinstance(report, EpochReport)]).all()
