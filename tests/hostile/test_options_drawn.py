"""Whatever is drawn as options, config file or search space ends at once: accepted, or refused in a sentence."""

from __future__ import annotations

import copy
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.errors import UsageError
from autokd.formatting import escaped

SECONDS = 3.0  # for one call; most take milliseconds
FIELDS = list(SearchConfig.model_fields)
drawn = settings(
    max_examples=80,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
words = st.text(st.characters(exclude_characters="\0"), max_size=20) | st.sampled_from(
    [
        "digits",
        "resnet18",
        "ray",
        "fp16",
        "cuda:99",
        "nan",
        "-inf",
        "1e999",
        "[/b]",
        "true",
        "../..",
        "a\nb",
        "\x1b[31m",
    ]
)
numbers = st.integers() | st.sampled_from([0, -1, 10**9, 2**31, 2**64, 10**400]) | st.floats()
scalars = words | numbers | st.booleans() | st.dates() | st.datetimes()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)


def toml(value: Any) -> str:
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def written(content: dict[str, Any]) -> str:
    return "".join(f"{quoted(key)} = {toml(value)}\n" for key, value in content.items())


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def ends(*arguments: str) -> str:
    """What a command prints; it ends in time, and with 0, or with 2 and one sentence."""
    start = time.monotonic()
    result = CliRunner().invoke(cli, list(arguments))
    assert time.monotonic() - start < SECONDS, arguments
    error = result.exception
    if isinstance(error, UsageError):
        assert error.exit_code == 2
        sentence = str(error)
        assert sentence == escaped(sentence) and 0 < len(sentence) < 2_000, sentence
    elif error is not None:  # click has told it, or a list of problems was asked for
        assert isinstance(error, SystemExit), (arguments, result.exc_info)
        assert result.exit_code == 2 and result.output
        assert all(line == escaped(line) for line in result.output.split("\n")), result.output
    return result.output


@drawn
@given(st.dictionaries(st.sampled_from(FIELDS), scalars.map(str), max_size=4))
@example({"teacher": "\udcff"})
def test_any_options(given: dict[str, str]) -> None:
    required = {"teacher": "resnet18", "max_cost": "1"}
    ends(
        "search", "--print-config", *(f"--{key.replace('_', '-')}={value}" for key, value in (required | given).items())
    )


@drawn
@given(st.dictionaries(st.sampled_from(FIELDS) | words, values, max_size=4))
def test_any_settings_of_a_file(folder: Path, given: dict[str, Any]) -> None:
    path = folder / "settings.toml"
    path.write_bytes(written(given).encode("utf-8", "surrogatepass"))
    ends("search", "--config", str(path), "--print-config", "--teacher", "resnet18", "--max-cost", "1")


@drawn
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a = " + b"[" * 100_000)
@example(b"a." * 20_000 + b"a = 1")
@example(b"a = {" + b"b = {" * 20_000)
@example(b"[a" + b".a" * 20_000 + b"]")
@example(b"seeds = " + b"9" * 5_000)
def test_any_bytes_as_a_file(folder: Path, content: bytes) -> None:
    path = folder / "bytes.toml"
    path.write_bytes(content)
    ends("search", "--config", str(path), "--print-config", "--teacher", "resnet18", "--max-cost", "1")
    ends("spaces", "show", str(path))
    ends("spaces", "validate", str(path))


SPACE: dict[str, Any] = {
    "students": {
        "include": ["resnet18", "test_res*"],
        "families": ["levit"],
        "scaled": [{"model": "resnet18", "width": [0.5, 1.0], "depth": [1.0]}],
        "exclude": ["levit_384*"],
        "exclude_families": ["resnet"],
    },
    "recipe": {
        "distill": {"losses": ["kl"], "alpha": {"low": 0.3, "high": 1.0}, "temperature": 4.0, "schedules": ["cosine"]},
        "direct": {"learning_rate": {"low": 0.001, "high": 0.01, "log": True}, "mixup": 0.2},
    },
    "first": [{"arm": "distill", "student": "resnet18", "alpha": 0.5, "loss": "kl"}],
    "default": {"temperature": 4.0},
    "base": "default",
}


def places(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, inner in items:
        yield (*way, key)
        yield from places(inner, (*way, key))


@drawn
@given(st.lists(st.tuples(st.sampled_from(list(places(SPACE))), values), min_size=1, max_size=3))
def test_any_value_at_any_place_of_a_space(folder: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    content = copy.deepcopy(SPACE)
    for (*way, last), value in changes:
        at: Any = content
        try:
            for key in way:
                at = at[key]
            at[last] = value
        except (LookupError, TypeError):  # an earlier change has taken the place away
            continue
    path = folder / "space.toml"
    path.write_bytes(written(content).encode("utf-8", "surrogatepass"))
    ends("spaces", "validate", str(path))
    ends("students", "--teacher", "resnet152", "--image-size", "224", "--space", str(path))
