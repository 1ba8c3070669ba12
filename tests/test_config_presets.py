"""What a preset and the number of training images set, and what a given setting changes of it."""

from __future__ import annotations

from typing import Any

import pytest

from autokd.config import SearchConfig
from autokd.config_presets import MOST_EPOCHS, PresetName, Sizes, sizes, teacher_epochs


def settings(**given: Any) -> SearchConfig:
    return SearchConfig.of(teacher="resnet152", max_cost=1.0, **given)


def steps(found: Sizes, images: int) -> float:
    return found.epochs * images / found.batch_size


def test_the_digits_are_searched_quickly_and_other_data_by_the_standard() -> None:
    digits, own = settings().sized(1_078), settings(data="photos").sized(1_078)
    assert (digits.preset, digits.trials, digits.epochs, digits.seeds, digits.batch_size) == ("quick", 8, 6, 3, 32)
    assert (own.preset, own.trials, own.epochs, own.finalists) == ("standard", 16, 60, 2)
    assert settings(preset="thorough").sized(1_078).seeds == 5


@pytest.mark.parametrize("images", [300, 2_000, 2_001, 20_000, 20_001, 200_000, 1_281_167])
@pytest.mark.parametrize(("name", "least"), [("quick", 200), ("standard", 2_000), ("thorough", 20_000)])
def test_every_training_has_the_steps_of_its_preset(name: PresetName, least: int, images: int) -> None:
    found = sizes(name, images)
    assert steps(found, images) >= least or found.epochs == MOST_EPOCHS


@pytest.mark.parametrize("images", [300, 5_000, 60_000, 1_281_167])
def test_a_larger_preset_does_no_less_of_anything(images: int) -> None:
    quick, standard, thorough = (sizes(name, images) for name in ("quick", "standard", "thorough"))
    for less, more in ((quick, standard), (standard, thorough)):
        assert all(a <= b for a, b in zip(less, more, strict=True))
        assert less.epochs < more.epochs or more.epochs == MOST_EPOCHS


def test_more_images_need_no_more_epochs_for_their_steps() -> None:
    assert [sizes("standard", images).epochs for images in (500, 2_000, 10_000)] == [128, 32, 13]


def test_what_is_given_stays_and_a_larger_batch_takes_more_epochs() -> None:
    assert settings(preset="standard", batch_size=64).sized(2_000).epochs == 64
    given = settings(preset="thorough", trials=4, epochs=2, seeds=2).sized(2_000)
    assert (given.trials, given.epochs, given.seeds) == (4, 2, 2)


def test_an_odd_number_of_trials_is_rounded_up() -> None:
    assert settings(trials=5).sized(1_078).trials == 6


def test_a_batch_larger_than_the_data_is_one_step_an_epoch() -> None:
    assert sizes("quick", 100, batch_size=1_000).epochs == 200


def test_a_teacher_is_trained_as_long_as_its_students_or_longer() -> None:
    assert [teacher_epochs(name, 20, True) for name in ("quick", "standard", "thorough")] == [20, 40, 40]
    assert [teacher_epochs("standard", epochs, False) for epochs in (20, 60)] == [20, 30]
