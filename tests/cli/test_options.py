"""Options and their help are made from the fields of the settings."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner

from autokd.cli import cli
from autokd.config import ENGINE, SearchConfig, shown_default
from autokd.decide.what_if import CONDITIONS


@cache
def help_of(command: str) -> dict[str, str]:
    """What help says of every option, by the option's first name."""
    options = CliRunner().invoke(cli, [command, "--help"], terminal_width=300).output.partition("Options:\n")[2]
    return {said.split()[0]: " ".join(said.split()) for said in re.split(r"\n  (?=-)", f"\n{options}")[1:]}


@pytest.mark.parametrize("name", list(SearchConfig.model_fields))
def test_help_of_a_search_shows_meaning_and_default_of_every_setting(name: str) -> None:
    said, field, default = help_of("search")["--" + name.replace("_", "-")], SearchConfig.model_fields[name], ""
    if (shown := shown_default(name)) is not None:
        default = f" [default: {shown}]"
    assert said.endswith(f"{field.description[1:]}.{default}")


def test_only_what_has_to_be_given_has_no_default() -> None:
    assert [name for name in SearchConfig.model_fields if shown_default(name) is None] == ["teacher", "max_cost"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("colour", "0.2 for random resized crops, else 0"),
        ("min_gain", "0.003"),
        ("compile", "no"),
        ("space", "default"),
        ("max_spend", "no limit"),
        ("cache_dir", "autokd in the user's cache folder"),
    ],
)
def test_a_default_is_shown_as_a_value_or_as_what_it_depends_on(name: str, shown: str) -> None:
    assert shown_default(name) == shown


@pytest.mark.parametrize(("command", "names"), [("decide", CONDITIONS), ("confirm", ENGINE)])
def test_what_is_not_given_on_a_stored_run_is_the_runs_own(command: str, names: tuple[str, ...]) -> None:
    said = help_of(command)
    for name in names:
        assert said["--" + name.replace("_", "-")].endswith(". [default: as the run had it]")


def test_a_description_names_no_flag() -> None:
    fields: Any = SearchConfig.model_fields.values()
    assert not [field.description for field in fields if "--" in field.description]
