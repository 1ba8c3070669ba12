"""The default recipe: from [default], else what is fixed, else the usual values."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.records import ARMS, Arm
from autokd.training.presets import PLAIN_TRANSFORMERS, TRANSFORMERS
from autokd.tune.space.default_recipe import default_recipe
from autokd.tune.space.files import read_space
from autokd.tune.space.space import Space
from autokd.zoo.timm_names import of_family

ONE = '[students]\ninclude = ["resnet18"]\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return str(path)


def test_the_default_recipe_is_what_is_said_else_what_is_fixed_else_the_usual(tmp_path: Path) -> None:
    plain = read_space(write(tmp_path, ONE))
    assert default_recipe(plain, "direct") == {"learning_rate": 0.002, "fine_tuning": False, "schedule": "cosine"}
    assert default_recipe(plain, "distill") == {
        "learning_rate": 0.002,
        "fine_tuning": False,
        "schedule": "cosine",
        "temperature": 4,
        "alpha": 0.9,
        "loss": "kl",
    }
    fixed = "losses = ['dist']\nlearning_rate = 0.002\nweight_decay = 0.01\nmixup = { low = 0.1, high = 0.4 }\n"
    said = "[default]\ntemperature = 2\nweight_decay = 0.03\n"
    direct = 'mixup = 0.3\nlabel_smoothing = 0.1\nschedules = ["linear", "constant"]\n'
    space = read_space(write(tmp_path, f"{ONE}[recipe.distill]\n{fixed}[recipe.direct]\n{direct}{said}"))
    assert default_recipe(space, "direct") == {
        "learning_rate": 0.002,
        "fine_tuning": False,
        "schedule": "linear",
        "weight_decay": 0.03,
        "label_smoothing": 0.1,
        "mixup": 0.3,
    }
    assert default_recipe(space, "distill") == {
        "learning_rate": 0.002,
        "fine_tuning": False,
        "schedule": "cosine",
        "weight_decay": 0.03,
        "temperature": 2,
        "alpha": 0.9,
        "loss": "dist",
    }


def test_a_student_that_starts_from_weights_has_the_rate_of_fine_tuning(tmp_path: Path) -> None:
    plain = read_space(write(tmp_path, ONE))
    assert default_recipe(plain, "direct", fine_tuning=True)["learning_rate"] == 1.5e-3
    assert default_recipe(plain, "direct", fine_tuning=True)["fine_tuning"]
    own = read_space(write(tmp_path, f"{ONE}[default]\nfine_tuning_rate = 5e-5\nlearning_rate = 0.004\n"))
    rates = [default_recipe(own, "distill", fine_tuning)["learning_rate"] for fine_tuning in (False, True)]
    assert rates == [0.004, 5e-5]


@pytest.mark.parametrize("arm", ARMS)
def test_a_plain_transformer_has_rates_of_its_own(tmp_path: Path, arm: Arm) -> None:
    def rates(space: Space) -> list[float]:
        starts = (False, True)
        return [default_recipe(space, arm, start, "vision_transformer")["learning_rate"] for start in starts]

    assert rates(read_space(write(tmp_path, ONE))) == [0.0005, 0.0001]
    assert rates(read_space("default")) == [0.0005, 0.0001]
    assert rates(read_space(write(tmp_path, f"{ONE}[default]\nlearning_rate = 0.004\n"))) == [0.004, 0.0001]


def test_a_distilled_recipe_without_labels_has_no_smoothing(tmp_path: Path) -> None:
    smoothed = f"{ONE}[recipe.distill]\nlabel_smoothing = 0.1\n[default]\nalpha = "
    assert default_recipe(read_space(write(tmp_path, smoothed + "0.9")), "distill")["label_smoothing"] == 0.1
    assert "label_smoothing" not in default_recipe(read_space(write(tmp_path, smoothed + "1")), "distill")


def test_transformers_are_families_of_timm_and_named_in_the_documentation() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "search-spaces.md").read_text()
    assert TRANSFORMERS > PLAIN_TRANSFORMERS
    assert all(of_family(family) and f"`{family}`" in documented for family in TRANSFORMERS)
