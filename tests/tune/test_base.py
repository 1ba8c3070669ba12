"""The base of a space: what a file takes from it, and what is said where that goes wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from autokd.errors import SpaceError
from autokd.tune.space.files import examine, read_space, shipped_spaces, space_folder, space_path
from autokd.tune.space.space import Space

BASE = """
[students]
include = ["resnet18", "resnet34"]
[recipe.distill]
losses = ["kl", "dist"]
alpha = 0.8
[recipe.direct]
mixup = { low = 0.0, high = 0.4 }
[[first]]
loss = "dist"
[default]
temperature = 2.0
alpha = 0.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "theirs.toml").write_text(BASE)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "mine" / "space.toml"
    path.write_text(text)
    return path


def problem_of(path: Path) -> str:
    with pytest.raises(SpaceError) as error:
        read_space(str(path))
    return str(error.value)


# ---- what is taken ---------------------------------------------------------------------------------------------


def test_a_file_with_nothing_but_a_base_is_that_space(folder: Path) -> None:
    assert read_space(str(write(folder, 'base = "mobile"'))) == read_space("mobile")
    mine, theirs = write(folder, 'base = "../theirs.toml"'), folder / "theirs.toml"
    assert read_space(str(mine)) == read_space(str(theirs))
    assert read_space(str(mine)).fingerprint == read_space(str(theirs)).fingerprint


def test_recipe_tables_and_default_are_taken_key_by_key(folder: Path) -> None:
    own = "[recipe.distill]\nalpha = { low = 0.5, high = 0.9 }\n[recipe.direct]\nweight_decay = 0.1\n"
    space = read_space(str(write(folder, f'base = "../theirs.toml"\n{own}[default]\nalpha = 0.6')))
    assert space.recipe.distill.losses == ("kl", "dist")
    assert space.recipe.distill.alpha.high == 0.9
    assert space.ranges("direct", 10).keys() == {"learning_rate", "fine_tuning_rate", "weight_decay", "mixup"}
    assert space.default.values == {"temperature": 2.0, "alpha": 0.6}


def test_a_range_replaces_a_range_whole(folder: Path) -> None:
    text = 'base = "../theirs.toml"\n[recipe.direct]\nmixup = { low = 0.1, high = 0.2, log = true }'
    mixup = read_space(str(write(folder, text))).recipe.direct.mixup
    assert mixup is not None
    assert str(mixup) == "0.1 to 0.2, logarithmic"
    path = write(folder, text.replace("high = 0.2, ", ""))
    assert "line 3: `high` of mixup in [recipe.direct] is missing" in problem_of(path)


def test_students_and_first_proposals_are_taken_whole_or_not_at_all(folder: Path) -> None:
    text = 'base = "../theirs.toml"\n[students]\nfamilies = ["levit"]\n[[first]]\nalpha = 0.8'
    space = read_space(str(write(folder, text)))
    assert all(name.startswith("levit") for name in space.names())
    assert space.firsts("distill") == [{"loss": "kl", "alpha": 0.8}]
    assert read_space(str(write(folder, 'base = "../theirs.toml"\nfirst = []'))).first == ()


def test_a_base_may_have_a_base_and_need_not_be_a_whole_space(folder: Path) -> None:
    (folder / "middle.toml").write_text('base = "default"\n[recipe.direct]\nweight_decay = 0.1')
    (folder / "recipes.toml").write_text("[recipe.direct]\nmixup = 0.3")
    space = read_space(str(write(folder, 'base = "../middle.toml"')))
    assert space.names() == read_space("default").names()
    assert str(space.recipe.direct.weight_decay) == "0.1, fixed"
    assert space.recipe.direct.schedules == ("cosine", "linear")
    own = 'base = "../recipes.toml"\n[students]\ninclude = ["resnet18"]'
    assert str(read_space(str(write(folder, own))).recipe.direct.mixup) == "0.3, fixed"


@pytest.mark.parametrize("name", sorted(set(shipped_spaces()) - {"default"}))
def test_shipped_spaces_differ_from_the_default_in_their_students_alone(name: str) -> None:
    content = tomllib.loads(space_path(name).read_text(encoding="utf-8"))
    assert content.keys() == {"base", "students"}
    default = tomllib.loads((space_folder() / "default.toml").read_text(encoding="utf-8"))
    assert read_space(name) == Space.model_validate({**default, "students": content["students"]})


# ---- what is wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('# mine\nbase = "nosuch"', "space.toml, line 2: `base`: the search space nosuch is neither a file nor one of"),
        ("base = 3", "space.toml, line 1: `base` should be the name or the file of a space, not 3"),
        ('base = "space.toml"', "space.toml, line 1: `base` leads back to space.toml; name another space, or leave"),
        ('[students]\ninclude = ["resnet18"]\nbase = "default"', "line 3: `base` in [students] is not a known"),
        ('bsae = "default"\n[students]\ninclude = ["resnet18"]', "did you mean base?"),
        (
            'base = "default"\n[recipe.distill]\ntemprature = 4',
            "space.toml, line 3: `temprature` in [recipe.distill] is not a known key",
        ),
        ('base = "../theirs.toml"\n[recipe.distill]\nlosses = ["kl"]', "; or write your own [[first]]"),
        (
            'base = "../theirs.toml"\n[recipe.distill]\nlosses = ["kl"]',
            "space.toml, line 1: its base ../theirs.toml says on line 10: `loss` in [[first]]: dist is not searched",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Path, text: str, says: str) -> None:
    assert says in problem_of(write(folder, text))


def test_bases_that_go_round_in_a_circle_are_refused(folder: Path) -> None:
    (folder / "theirs.toml").write_text('\nbase = "mine/space.toml"')
    found = problem_of(write(folder, 'base = "../theirs.toml"'))
    assert "theirs.toml, line 2: `base` leads back to space.toml; name another space, or leave it out" in found


def test_a_mistake_in_the_base_is_named_with_both_lines_among_the_files_own(folder: Path) -> None:
    (folder / "theirs.toml").write_text(BASE.replace("alpha = 0.8", "alhpa = 0.8"))
    path = write(folder, '[default]\nalpha = 2\n[recipe.direct]\nlearning_rate = "high"')
    path.write_text('base = "../theirs.toml"\n' + path.read_text())
    space, problems = examine(path)
    assert space is None
    assert [problem.removeprefix(f"{path}, ").partition(" is ")[0].partition(":")[0] for problem in problems] == [
        "line 1",
        "line 5",
    ]
    assert "its base ../theirs.toml says on line 6: `alhpa` in [recipe.distill] is not a known key" in problems[0]


def test_a_base_that_is_no_toml_is_named_itself(folder: Path) -> None:
    (folder / "theirs.toml").write_text("[students\n")
    assert f"{folder / 'theirs.toml'}, line 1: this is not valid TOML" in problem_of(
        write(folder, 'base = "../theirs.toml"')
    ).replace("/mine/..", "")
