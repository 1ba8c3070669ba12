"""Messages name a setting as the caller wrote it: a keyword, a flag, the key of a file, a variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import autokd
from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.errors import ConfigError, RunError, UsageError
from autokd.naming import Names, Style, did_you_mean, named, naming, set_to
from autokd.runs.folder import Run


@pytest.mark.parametrize(
    ("style", "name", "number", "text", "switch"),
    [
        ("keyword", "max_cost", "max_cost=20", "max_cost='a b'", "max_cost=True"),
        ("flag", "--max-cost", "--max-cost 20", "--max-cost 'a b'", "--max-cost"),
        ("key", "max_cost", "max_cost = 20", 'max_cost = "a b"', "max_cost = true"),
        ("variable", "X_MAX_COST", "X_MAX_COST=20", "X_MAX_COST='a b'", "X_MAX_COST=True"),
    ],
)
def test_every_style_has_its_own_spelling(style: Style, name: str, number: str, text: str, switch: str) -> None:
    with naming(Names(style, prefix="X")):
        assert named("max_cost") == name
        assert [set_to("max_cost", value) for value in (20.0, "a b", True)] == [number, text, switch]


def test_one_setting_may_be_named_otherwise_than_the_rest_and_the_block_ends() -> None:
    with naming(Names("flag", {"max_cost": "key"})):
        assert (named("max_cost"), named("min_gain")) == ("max_cost", "--min-gain")
        assert set_to("probe_edges", False) == "--no-probe-edges"
    assert named("min_gain") == "min_gain"


@pytest.mark.parametrize(
    ("style", "text"), [("keyword", "data='a b'"), ("flag", "--data 'a b'"), ("key", 'data = "a b"')]
)
def test_a_path_is_written_as_its_text(style: Style, text: str) -> None:
    with naming(Names(style)):
        assert set_to("data", Path("a b")) == text


def test_a_number_loses_no_digit() -> None:
    assert set_to("max_cost", 0.123456789) == "max_cost=0.123456789"


def test_names_that_are_like_it_are_told_and_others_are_not() -> None:
    known = ("max_cost", "min_ratio", "max_ratio")
    assert did_you_mean("max-costs", known) == "; did you mean max_cost?"
    assert did_you_mean("mix_ratio", known) == "; did you mean min_ratio or max_ratio?"
    assert did_you_mean("colour", known) == ""


# ---- the three ways to give a setting ----------------------------------------------------------------------------

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "out of range": ({"max_cost": -3}, "{max_cost} cannot be used: it must be greater than 0 ("),
    "no such choice": (
        {"prefer": "saving"},
        "{prefer} cannot be used: it must be 'accuracy' or 'savings' (",
    ),
    "empty range": ({"min_ratio": 30.0, "max_ratio": 20.0}, "{min_ratio} is not below {max_ratio}; give a range"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_python_call_names_keywords(case: str) -> None:
    given, says = CASES[case]
    options = {"teacher": "resnet18", "max_cost": 1.0, **given}
    with pytest.raises(ConfigError) as caught:
        autokd.search(**options)
    assert str(caught.value).startswith(says.format(**{name: set_to(name, value) for name, value in given.items()}))
    assert str(caught.value).endswith("; did you mean savings?") is (case == "no such choice")
    assert "--" not in str(caught.value)


@pytest.mark.parametrize("case", list(CASES))
def test_a_config_file_names_keys(case: str, tmp_path: Path) -> None:
    given, says = CASES[case]
    file = tmp_path / "search.toml"
    file.write_text("\n".join(f"{name} = {value!r}" for name, value in {"max_cost": 1.0, **given}.items()))
    refused = refusal("search", "--teacher", "resnet18", "--config", str(file))
    with naming(Names("key")):
        expected = says.format(**{name: set_to(name, value) for name, value in given.items()})
    assert refused.removeprefix(f"{file}: ").startswith(expected)
    assert refused.startswith(str(file)) is (case != "empty range"), "the file alone is not at fault for a range"
    assert "--" not in refused


@pytest.mark.parametrize("case", ["out of range", "empty range"])  # a choice is refused by click
def test_the_command_line_names_flags(case: str) -> None:
    given, says = CASES[case]
    options = {"teacher": "resnet18", "max_cost": 1.0, **given}
    with naming(Names("flag")):
        arguments = [part for name, value in options.items() for part in (named(name), str(value))]
        expected = says.format(**{name: set_to(name, value) for name, value in given.items()})
    assert refusal("search", *arguments).startswith(expected)


@pytest.mark.parametrize("full", [False, True])
def test_output_and_resume_are_named_as_settings_are(full: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    options = {"teacher": "test_resnet", "teacher_weights": "scratch", "max_cost": 1.0, "output": str(tmp_path)}
    if full:
        Run.create(tmp_path / "run", SearchConfig.of(teacher="test_resnet", max_cost=1.0))
        options["output"] = str(tmp_path / "run")
    with pytest.raises(RunError) as caught:
        autokd.search(**options)
    wanted = (
        "add {} to go on with it, or choose another {}" if full else "not empty and holds no run; choose another {1}"
    )
    assert str(caught.value).endswith(wanted.format("resume=True", "output"))
    arguments = [part for name, value in options.items() for part in ("--" + name.replace("_", "-"), str(value))]
    assert refusal("search", *arguments).endswith(wanted.format("--resume", "--output"))


def test_the_environment_names_variables() -> None:
    arguments = ("search", "--teacher", "resnet18", "--max-cost", "1")
    assert refusal(*arguments, env={"AUTOKD_SEARCH_MIN_RATIO": "30"}).startswith(
        "AUTOKD_SEARCH_MIN_RATIO=30 is not below --max-ratio 20"
    )
    result = CliRunner().invoke(cli, list(arguments), env={"AUTOKD_SEARCH_EPOCHS": "x"})
    assert "Invalid value for 'AUTOKD_SEARCH_EPOCHS': 'x' is not a valid integer" in result.output


def test_a_file_and_the_command_line_together_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text('teacher = "resnet18"\nmax_cost = 1\nmin-ratio = 9\n')
    assert refusal("search", "--config", str(file), "--max-ratio", "4").startswith(
        "min_ratio = 9 is not below --max-ratio 4"
    )


@pytest.mark.parametrize(
    ("name", "hint"), [("min_gains", "did you mean min_gain?"), ("zzz", "`autokd search --help` lists all settings")]
)
def test_an_unknown_setting_gets_the_nearest_names(name: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"^unknown setting '{name}'; {hint[:12]}") as caught:
        autokd.search("resnet18", 1.0, **{name: 2})
    assert str(caught.value).endswith(hint)
    file = tmp_path / "search.toml"
    file.write_text(f'teacher = "resnet18"\n{name} = 1\n')
    assert refusal("search", "--config", str(file)) == f"{file}: unknown setting '{name}'; {hint}"
    if name == "min_gains":
        assert "Did you mean" in CliRunner().invoke(cli, ["search", "--min-gains", "1"]).output


def test_keywords_of_the_calls_are_known_too() -> None:
    with pytest.raises(UsageError, match="unknown setting 'outptu'; did you mean output"):
        autokd.search("resnet18", 1.0, outptu="x")
    with pytest.raises(UsageError, match="unknown setting 'worker'; did you mean workers"):
        autokd.confirm("nowhere", 5, worker=1)
    with pytest.raises(UsageError, match="unknown setting 'max_cost'"):
        autokd.confirm("nowhere", 5, max_cost=1.0)


def test_a_fraction_in_a_file_is_not_cut_to_a_whole_number(tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text('teacher = "resnet18"\nmax_cost = 1\nseeds = 2.5\n')
    assert refusal("search", "--config", str(file)).startswith(
        f"{file}: seeds = 2.5 cannot be used: it must be a whole"
    )


def test_what_is_missing_is_named() -> None:
    assert refusal("search", "--max-cost", "1").startswith("--teacher is missing (timm model")
    with pytest.raises(ConfigError, match=r"^teacher is missing \(timm model"):
        SearchConfig.of(max_cost=1.0)


def refusal(*arguments: str, env: dict[str, str] | None = None) -> str:
    """The one sentence of a call that is refused."""
    result = CliRunner().invoke(cli, list(arguments), env=env)
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)
