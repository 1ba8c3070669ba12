"""A file that is no search space, or holds no settings, is refused in one sentence that tells nothing of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import Hearing

from autokd.cli import cli
from autokd.errors import AutokdError
from autokd.tune.space.files import read_space, space_folder
from autokd.zoo.count import count_all

INSIDE = "hunter2"
FILES = {
    "passwd": f"root:x:0:0:{INSIDE}:/root:/bin/bash\n",
    "credentials.toml": f'[registry]\ntoken = "{INSIDE}"\n',
    "empty.toml": "",
    "deep.toml": "a = " + "[" * 100_000 + f"# {INSIDE}",
    "dots.toml": "a." * 50_000 + f"a = '{INSIDE}'",
    "tables.toml": "[a" + ".a" * 50_000 + f"]\nb = '{INSIDE}'",
    "digits.toml": f"# {INSIDE}\na = " + "9" * 5_000,
    "large.toml": f"# {INSIDE}\n" * 150_000,
    "zeros.toml": b"\0" * 100 + INSIDE.encode(),
    "binary.toml": b"\xff\xfe\x00" + INSIDE.encode(),
}


@pytest.fixture(params=FILES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    content = FILES[request.param]
    path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return path


def said(*arguments: object) -> tuple[str, str]:
    """What is printed, and the one sentence of the error."""
    result: Any = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert isinstance(result.exception, AutokdError), result.exception
    assert result.exception.exit_code == 2
    assert "\n" not in str(result.exception)
    return result.output, str(result.exception)


def test_what_is_no_space_is_not_shown(file: Path) -> None:
    output, error = said("spaces", "show", file)
    assert output == "" and INSIDE not in error
    assert f"{file} is not a search space, so it is not shown; " in error


def test_a_path_that_climbs_is_a_file_like_any_other(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(file.parent / "a" / "b")
    output, error = said("spaces", "show", f"../../{file.name}")
    assert output == "" and INSIDE not in error


def test_validation_names_the_line_and_not_the_content(file: Path) -> None:
    result = CliRunner().invoke(cli, ["spaces", "validate", str(file)])
    if file.name == "empty.toml":
        return
    assert result.exit_code == 2, result.exception
    assert INSIDE not in result.output and str(file) in result.output


@pytest.mark.parametrize("name", [".", "a" * 5000, "/dev/zero", "no_such_space"])
def test_what_is_no_file_is_refused(name: str) -> None:
    assert "is neither a file nor one of" in said("spaces", "show", name)[1]


def test_shipped_spaces_and_own_ones_are_shown_as_they_are(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('# mine\nbase = "default"\nfirst = []\n')
    assert CliRunner().invoke(cli, ["spaces", "show", str(own)]).output == own.read_text()
    for path in space_folder().glob("*.toml"):
        assert CliRunner().invoke(cli, ["spaces", "show", path.stem]).output == path.read_text()


def test_settings_that_cannot_be_read_are_refused(file: Path) -> None:
    if file.name == "empty.toml":
        return
    _, error = said("search", "--config", file)
    assert INSIDE not in error and str(file) in error


def scaling(path: Path, factors: int) -> Path:
    listed = ", ".join(f"{0.2 + number / 1000:.3f}" for number in range(factors))
    path.write_text(f'[students]\n[[students.scaled]]\nmodel = "resnet18"\nwidth = [{listed}]\ndepth = [{listed}]\n')
    return path


def test_a_space_of_millions_of_students_is_refused_before_they_are_named(tmp_path: Path) -> None:
    path = scaling(tmp_path / "space.toml", 5_000)
    start = time.monotonic()
    error = said("students", "--teacher", "resnet152", "--space", path)[1]
    assert time.monotonic() - start < 2
    assert error == (
        f"{path}, line 1: [students]: it scales models to 25,000,000 students, most of them resnet18 with 5,000 widths "
        "and 5,000 depths, and a space may have 10,000; give fewer factors"
    )
    assert len(read_space(str(scaling(path, 20))).students.scaled[0].width) == 20


def test_a_list_of_thousands_of_patterns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("[students]\ninclude = [" + '"resnet*", ' * 1_001 + "]\n")
    error = said("students", "--teacher", "resnet152", "--space", path)[1]
    assert error == f"{path}, line 2: `include` in [students] has more than 1,000 entries; give fewer, or patterns"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deep.toml", "is nested too deep to hold settings; name another TOML file"),
        ("dots.toml", "is nested too deep to hold settings; name another TOML file"),
        ("binary.toml", "is not text in UTF-8; name a TOML file"),
        ("large.toml", "is not valid TOML: it has more than 1,000,000 bytes"),
    ],
)
def test_what_is_wrong_with_settings_is_said_in_a_moment(tmp_path: Path, name: str, why: str) -> None:
    path, content = tmp_path / name, FILES[name]
    path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    start = time.monotonic()
    assert said("search", "--config", path)[1] == f"{path} {why}"
    assert time.monotonic() - start < 2


def test_settings_that_never_end_are_refused() -> None:
    assert "it has more than 1,000,000 bytes" in said("search", "--config", "/dev/zero")[1]


@pytest.mark.parametrize("content", ["[" * 100_000, '{"a":' * 100_000, "null", "7", '{"counts": [[]], "crc32": 0}'])
def test_counts_that_are_nested_too_deep_or_no_table_are_made_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "counts.json").write_text(content)
    listener = Hearing()
    assert count_all(["resnet18@width=0.5"], 3, 32, tmp_path, listener)[0]
    assert listener.notes == [f"{tmp_path / 'counts.json'} is damaged; what it held is counted again."]
