"""Durations as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.config_file import read_config_file
from autokd.durations import as_given, seconds_of

WRITTEN = {"90s": 90, "30m": 1800, "2h": 7200, "1h30m": 5400, "45": 45, "0.5h": 1800, " 1H 5M ": 3900}


@pytest.mark.parametrize(("text", "seconds"), WRITTEN.items())
def test_what_people_write_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5x", "30m1h", "-5m", "1d", "m", "1e3", "inf", "1h30"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 30m, 2h or 1h30m"):
        seconds_of(text)


def test_a_duration_is_told_as_it_was_given() -> None:
    told = [as_given(seconds) for seconds in (0.5, 45, 90, 300, 5400, 7200, 3661)]
    assert told == ["0.5 s", "45 s", "1 min 30 s", "5 min", "1 h 30 min", "2 h", "1 h 1 min 1 s"]


def test_settings_take_it_from_everywhere(tmp_path: Path) -> None:
    settings = {"teacher": "resnet18", "max_cost": 1.0}
    assert SearchConfig.of(**settings, time_limit="1h30m").time_limit == 5400
    assert SearchConfig.of(**settings, time_limit=90).time_limit == 90
    assert SearchConfig.of(**settings, time_limit="none").time_limit is None
    (tmp_path / "settings.toml").write_text('time-limit = "30m"')
    assert read_config_file(tmp_path / "settings.toml") == {"time_limit": 1800}


def test_the_command_line_reads_it_and_refuses_it_in_a_sentence() -> None:
    search = ["search", "--teacher", "resnet18", "--max-cost", "1", "--print-config"]
    shown = CliRunner().invoke(cli, [*search, "--time-limit", "1h30m"])
    assert "5400" in shown.stdout, shown.output
    refused = CliRunner().invoke(cli, [*search, "--time-limit", "soon"])
    assert "--time-limit soon cannot be used: it must be a duration such as 90s" in str(refused.exception)
    wrong = CliRunner().invoke(cli, search, env={"AUTOKD_SEARCH_TIME_LIMIT": "5x"})
    assert "TIME_LIMIT=5x cannot be used" in str(wrong.exception)
