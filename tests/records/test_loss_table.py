"""The table of losses: every loss has a row, a function, a type and a line in the documents."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from autokd.records import Loss, Recipe
from autokd.records.losses import FORMULA, LOSSES, unread
from autokd.training.losses import TERMS
from autokd.tune.space.schema import DistillSection

ROOT = Path(__file__).parents[2]


def test_type_table_and_training_know_the_same_losses_in_one_order() -> None:
    assert list(LOSSES) == list(get_args(Loss)) == list(TERMS)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_reads_parameters_that_recipes_and_spaces_have(loss: Loss) -> None:
    reads = set(LOSSES[loss].reads)
    assert reads <= Recipe.model_fields.keys() & DistillSection.model_fields.keys()
    assert unread(loss).isdisjoint(reads)
    assert unread(loss) | reads == {"temperature", "beta"}


@pytest.mark.parametrize("loss", LOSSES)
def test_the_report_and_the_documents_name_every_loss(loss: Loss) -> None:
    assert f"{loss} is {LOSSES[loss].formula}" in FORMULA
    assert f"`{loss}`" in (ROOT / "docs" / "distillation.md").read_text(encoding="utf-8")
