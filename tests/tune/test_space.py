"""Search spaces: what loads, what is refused and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from autokd.errors import SpaceError
from autokd.tune.space import read_space, space_folder


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "space.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", sorted(path.stem for path in space_folder().glob("*.toml")))
def test_every_shipped_space_loads_and_names_known_students(name: str) -> None:
    space = read_space(name)
    assert len(space.names()) >= 12
    assert space.ranges("direct", 10).keys() == {"learning_rate"}
    assert space.ranges("distill", 10).keys() == {"temperature", "alpha", "learning_rate"}


def test_the_default_space_has_the_documented_first_proposals_and_many_families() -> None:
    from autokd.zoo.count import family

    space = read_space("default")
    firsts = [(f.loss or "kl", f.temperature, f.alpha) for f in space.first]
    assert firsts == [("kl", 4.0, 0.9), ("kl", 1.0, 0.5), ("kl", 2.0, 1.0), ("dist", 1.0, 0.67)]
    assert len({family(name) for name in space.names()}) >= 12


def test_patterns_and_exclusions(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, '[students]\ninclude = ["test_conv*", "resnet18"]\nexclude = ["*3"]'))
    assert space.names() == ["test_convnext", "test_convnext2", "resnet18"]


def test_temperatures_follow_the_number_of_classes(tmp_path: Path) -> None:
    space = read_space(write(tmp_path, '[students]\ninclude = ["resnet18"]'))
    assert (space.temperature(10).low, space.temperature(10).high) == (1.0, 20.0)
    assert (space.temperature(1000).low, space.temperature(1000).high) == (0.5, 4.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[students", "not valid TOML"),
        ("[students]\ninclude = []", "line 1: students: nothing is included"),
        ('[students]\ninclude = ["resnet18"]\n[recipes]\n', "line 3: recipes is not a known key; did you mean recipe?"),
        (
            '[students]\ninclude = ["resnet18"]\n[recipe.distill]\nalpha = { low = 0.9, high = 0.5 }',
            "line 4: recipe.distill.alpha: the range is empty: low 0.9 is above high 0.5",
        ),
        (
            '[students]\ninclude = ["resnet18"]\n[recipe.distill]\nalpha = { low = 0.1, high = 0.5 }',
            "alpha lies in 0.3",
        ),
        (
            '[students]\ninclude = ["resnet18"]\n[recipe.direct]\nlearning_rate = { low = 0, high = 1, log = true }',
            "line 4: recipe.direct.learning_rate: must be above 0",
        ),
        ('[students]\ninclude = ["resnet18"]\n[recipe.distill]\nlosses = ["kd"]', "line 4: recipe.distill.losses.0"),
        ('[students]\ninclude = ["resnet18"]\n[recipe.distill]\nlosses = ["kl", "kl"]', "names one of them twice"),
        (
            '[students]\ninclude = ["resnet18"]\n[recipe.distill]\nlosses = ["dkd"]\nmixup = { low = 0, high = 1 }',
            "leave out dkd, or mixup and cutmix",
        ),
        (
            '[students]\ninclude = ["resnet18"]\n[recipe.direct]\ncutmix = { low = -1, high = 1 }',
            "line 4: recipe.direct.cutmix: must be 0 or above",
        ),
        (
            '[students]\ninclude = ["resnet18"]\n[[first]]\nloss = "dist"\ntemperature = 1\nalpha = 0.5',
            "a [[first]] names the loss dist; add it to losses",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SpaceError, match="space") as error:
        read_space(write(tmp_path, text))
    assert says in str(error.value)


def test_unknown_students_and_spaces_are_named(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="did you mean"):
        read_space(write(tmp_path, '[students]\ninclude = ["resnet1888"]')).names()
    with pytest.raises(SpaceError, match="matches no timm model"):
        read_space(write(tmp_path, '[students]\ninclude = ["nosuch*"]')).names()
    with pytest.raises(SpaceError, match="neither a file nor one of"):
        read_space("nowhere")
