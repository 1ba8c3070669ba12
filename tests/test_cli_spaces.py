"""autokd spaces: lists, shows, and names everything that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autokd.cli import cli
from autokd.tune.space.files import shipped_spaces, space_folder

MINE = """# For a test.
[students]
include = ["lcnet_0*", "resnet10t"]
exclude = ["lcnet_035"]

[recipe.distill]
losses = ["kl", "dist"]
alpha = 0.9

[[first]]
arm = "direct"
student = "resnet10t"
"""


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["spaces", *arguments])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def test_the_shipped_spaces_are_listed_with_whom_they_are_for() -> None:
    table = run("list")
    listed = json.loads(run("list", "--json").output)
    assert table.exit_code == 0
    assert [each["name"] for each in listed] == shipped_spaces()
    for each in listed:
        assert each["students"] == sum(map(len, each["families"].values()))
        assert each["about"].startswith("for ")
        assert each["about"] in table.output


def test_show_prints_the_file_as_it_is() -> None:
    shown = run("show", "default")
    assert shown.exit_code == 0
    assert shown.output == (space_folder() / "default.toml").read_text()


def test_a_sound_file_is_said_to_be_so_with_what_it_has(mine: Path) -> None:
    result = run("validate", str(mine))
    assert result.exit_code == 0
    assert f"{mine} is sound: 3 students of 2 families." in result.output
    for line in ("mobilenetv3  2         lcnet_050, lcnet_075", "0.9, fixed", "by the number of classes", "kl, dist"):
        assert line in result.output


def test_a_sound_file_in_json(mine: Path) -> None:
    found = json.loads(run("validate", str(mine), "--json").output)
    assert found["problems"] == []
    assert found["families"]["resnet"] == ["resnet10t"]
    assert found["recipes"]["distill"]["alpha"] == {"low": 0.9, "high": 0.9, "log": False}
    assert found["recipes"]["distill"]["temperature"] is None
    assert found["recipes"]["direct"].keys() == {"learning_rate", "fine_tuning_rate"}
    assert found["first"] == {"distill": 0, "direct": 1}


def test_every_problem_has_its_own_line_and_the_exit_code_is_2(mine: Path) -> None:
    mine.write_text(MINE.replace("resnet10t", "resnet10tt").replace("alpha = 0.9", "alpha = { low = 0.9, high = 0.5 }"))
    result = run("validate", str(mine))
    problems = result.stderr.splitlines()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.partition(": ")[0] for line in problems] == [f"{mine}, line 3", f"{mine}, line 8"]
    assert "resnet10tt is not a timm model; did you mean" in problems[0]
    assert "low 0.9 is above high 0.5; swap them" in problems[1]
    as_json = run("validate", str(mine), "--json")
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout) == {"problems": problems}


def test_an_unknown_space_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "autokd", "spaces", "show", "huge"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("autokd: the search space huge is neither a file nor one of ")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_of_plain_names_is_validated_without_torch(mine: Path) -> None:
    code = (
        "import sys; from autokd.cli import cli\n"
        f"cli.main(['spaces', 'validate', {str(mine)!r}], standalone_mode=False)\n"
        "print({'torch', 'timm', 'optuna'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
