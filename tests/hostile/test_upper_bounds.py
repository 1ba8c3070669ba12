"""No number of a search is without an upper bound: a slip of the finger is refused before anything is paid for."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from annotated_types import Le, Lt
from click.testing import CliRunner

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.config_file import read_config_file
from autokd.errors import ConfigError
from autokd.naming import Names, naming
from autokd.result import SearchResult

NUMBERS = [
    name
    for name, field in SearchConfig.model_fields.items()
    if {int, float} & {field.annotation, *typing.get_args(field.annotation)}
]
REQUIRED = {"teacher": "resnet10t", "max_cost": 1.0}


def most(name: str) -> float:
    (bound,) = (each for each in SearchConfig.model_fields[name].metadata if isinstance(each, (Le, Lt)))
    return bound.le if isinstance(bound, Le) else bound.lt


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_an_upper_bound(name: str) -> None:
    value = 10 * int(most(name)) + 10
    sentence = rf"^{name}={value} cannot be used: it must be (at most|less than) [\d,.]+ \("
    with pytest.raises(ConfigError, match=sentence):
        SearchConfig.of(**{**REQUIRED, name: value})


def test_the_bounds_leave_room() -> None:
    generous = {"seeds": 100, "workers": 4096, "image_size": 2048, "epochs": 10_000, "batch_size": 65_536}
    assert SearchConfig.of(**REQUIRED, **generous, trials=10_000, finalists=100, seed=2**31 - 1).seeds == 100


def test_the_sentence_reads_well_wherever_the_value_is_from(tmp_path: Path) -> None:
    rule = "cannot be used: it must be at most {} ({})"
    with naming(Names("flag")), pytest.raises(ConfigError) as caught:
        SearchConfig.of(**REQUIRED, seeds=10**9)
    assert str(caught.value) == "--seeds 1000000000 " + rule.format(
        "100", "seeds of each finalist that can still be picked after two of them"
    )
    path = tmp_path / "settings.toml"
    path.write_text("batch_size = 1000000\n")
    with pytest.raises(ConfigError) as caught:
        read_config_file(path)
    assert str(caught.value) == f"{path}: batch_size = 1000000 " + rule.format("65,536", "training batch size")


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "--teacher", "resnet10t", "--max-cost", "1", "--epochs", "1000000"],
        ["estimate", "--teacher", "resnet10t", "--max-cost", "1", "--image-size", "100000"],
        ["students", "--teacher", "resnet10t", "--image-size", "100000"],
        ["students", "--teacher", "resnet10t", "--classes", "1000000000"],
    ],
)
def test_commands_end_at_once(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 or getattr(result.exception, "exit_code", 0) == 2


def test_confirm_takes_no_more_seeds_than_a_search(done: SearchResult) -> None:
    result = CliRunner().invoke(cli, ["confirm", str(done.path), "--seeds", "101"])
    assert str(result.exception).startswith("--seeds 101 cannot be used: it must be at most 100 (")
