"""autokd prices: the table in a terminal's width, one row with its source, and JSON of both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from autokd.cli import cli
from autokd.cost.price_table import prices
from autokd.errors import ConfigError

MINE = """
[[price]]
provider = "Rack"
cpu = "AMD EPYC 9654"
source = "invoice 17"
date = 2020-11-01
instances = [{ name = "blade", vcpus = 96, usd_per_hour = 1.5 }]
"""


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["prices", *arguments])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def test_the_table_is_listed_in_eighty_columns() -> None:
    table = run("list")
    assert table.exit_code == 0
    assert all(len(line.rstrip()) <= 79 for line in table.output.splitlines())
    assert all(row.instance in table.output for row in prices())
    assert "Google Cloud, us-central1" in table.output
    listed = json.loads(run("list", "--json").output)
    assert [each["instance"] for each in listed] == [row.instance for row in prices()]
    assert listed[0]["usd_per_hour"] == prices()[0].usd_per_hour


def test_one_provider_can_be_listed() -> None:
    assert {each["provider"] for each in json.loads(run("list", "--provider", "aws", "--json").output)} == {"AWS"}
    refused = run("list", "--provider", "Nimbus")
    assert isinstance(refused.exception, ConfigError)
    assert str(refused.exception) == "--provider Nimbus has no prices; choose AWS or Google Cloud or Azure"


def test_one_price_is_shown_with_its_source() -> None:
    shown = run("show", "c7a.large").output
    for text in ("AWS, us-east-1", "AMD EPYC 9R14", "$0.10264 an hour, $0.0513 a vCPU", "https://", "days old"):
        assert text in shown
    assert json.loads(run("show", "g6.xlarge", "--json").output)["accelerator"] == "L4"
    assert str(run("show", "c7a.larg").exception).startswith("c7a.larg is not in the price table; did you mean c7a.")


def test_prices_of_ones_own_are_listed_and_their_age_is_said(mine: Path) -> None:
    table = run("list", "--prices", str(mine)).output
    assert table.startswith("Rack\n")
    assert "of them are more than 180 days old." in table
    assert ": more than 180" in run("show", "blade", "--prices", str(mine)).output


def test_listing_prices_loads_no_torch() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from autokd.cli import cli; "
        "assert CliRunner().invoke(cli, ['prices', 'list']).exit_code == 0; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'timm', 'optuna')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
