"""The gain by the teacher's entropy."""

from __future__ import annotations

import numpy as np
import pytest
from made_evidence import Made, made_record

from autokd.decide.audit.by_entropy import by_entropy
from autokd.metrics import entropy
from autokd.records import Ambiguity

IMAGES = 4_000


def test_entropy_by_hand() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.8, 0.2]])).astype(np.float32)
    expected = [np.log(2), -0.8 * np.log(0.8) - 0.2 * np.log(0.2)]
    np.testing.assert_allclose(entropy(logits), expected, rtol=1e-6)
    assert entropy(np.array([[1000.0, 0.0]])).tolist() == [0.0]


def ambiguity(gain: float, images: int = IMAGES, seed: int = 0) -> Ambiguity | None:
    """Distilling adds `gain` to the accuracy of the least sure quarter; elsewhere it changes nothing."""
    rng = np.random.default_rng(seed)
    sure = np.linspace(0.0, 1.0, images)[rng.permutation(images)]
    hardness = rng.random(images)
    twin = hardness + rng.normal(0, 0.02, (3, images)) < 0.8
    limit = np.where(sure > 0.75, 0.8 + gain, 0.8)
    own = hardness + rng.normal(0, 0.02, (3, images)) < limit
    records = made_record(Made(1, "distill", 0.9), own), made_record(Made(3, "direct", 0.9), twin)
    return by_entropy(*records, own, twin, np.ones(images, dtype=bool), sure)


def test_a_gain_on_ambiguous_images_is_found_there_and_said() -> None:
    found = ambiguity(0.08)
    assert found is not None
    *surer, least = found.quarters
    assert [quarter.images for quarter in found.quarters] == [IMAGES // 4] * 4
    assert least.p < 0.05 < min(quarter.p for quarter in surer)
    assert least.gain.mean == pytest.approx(least.accuracy - least.twin_accuracy)
    assert least.low >= surer[-1].high
    assert found.seen.startswith("Where the teacher is least sure, distilling changes the accuracy by +")
    assert found.seen.endswith("a gain is shown in the fourth quarter.")


def test_a_loss_is_called_one() -> None:
    found = ambiguity(-0.08)
    assert found is not None and found.seen.endswith("a loss is shown in the fourth quarter.")


def test_equal_arms_show_nothing() -> None:
    shown = [ambiguity(0.0, 400, seed) for seed in range(40)]
    assert sum(not found.seen.endswith("no quarter shows a difference.") for found in shown if found) <= 5


def test_gains_in_several_quarters_are_listed() -> None:
    images = 400
    own, twin = np.ones((2, images), dtype=bool), np.ones((2, images), dtype=bool)
    twin[:, :30] = False
    twin[:, 100:130] = False
    records = made_record(Made(1, "distill", 0.9), own), made_record(Made(3, "direct", 0.9), twin)
    found = by_entropy(*records, own, twin, own[0], np.arange(images, dtype=float))
    assert found is not None
    assert [quarter.gain.mean for quarter in found.quarters] == pytest.approx([0.3, 0.3, 0, 0])
    assert found.seen.endswith("a gain is shown in the first and second quarter.")


def test_too_few_images_make_no_quarters() -> None:
    assert ambiguity(0.0, images=7) is None
