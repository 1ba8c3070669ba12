"""A training that is longer than the soft labels have views sees these again where they or a twin need them."""

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


@pytest.mark.parametrize(
    ("alpha", "twin", "views"),
    [(0.9, False, [0, 1, 0, 1, 0]), (0.0, True, [0, 1, 0, 1, 0]), (0.0, False, [0, 1, 2, 3, 4])],
)
def test_longer_trainings_see_the_stored_views_again_and_direct_ones_new_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alpha: float, twin: bool, views: list[int]
) -> None:
    data = small_task()
    monkeypatch.setattr(worker, "open_task", lambda *_: data)
    seen: list[Training] = []
    trained = worker.train
    monkeypatch.setattr(worker, "train", lambda training: seen.append(training) or trained(training))
    labels = soft_labels(tmp_path / "cache", 2)
    recipe = Recipe(learning_rate=1e-3, epochs=5, batch_size=20, alpha=alpha)
    arm = "distill" if alpha else "direct"
    proposal = Proposal(number=0, arm=arm, student="test_resnet", recipe=recipe)
    job = Job(key="a", proposal=proposal, seed=1, folder=str(tmp_path / "run"), final=False, twin=twin)
    workshop = TrainingFactory(tmp_path, labels, VIEWS_SEED, "cpu", loader_workers=0)(0, 1)
    reports = [*workshop.do(job)]
    assert [type(report) for report in reports] == [EpochReport] * 5 + [Outcome]
    assert [{batch.view for batch in batches(seen[0], epoch)} for epoch in range(1, 6)] == [{view} for view in views]
    assert np.isfinite([report.train_loss for report in reports if isinstance(report, EpochReport)]).all()
