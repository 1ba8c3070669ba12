"""Every file of a run, damaged in every way: each command ends in one sentence, or mends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import FakeParts

from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.errors import AutokdError
from autokd.pipeline.search import confirm_run, run_search

FILES = (
    "run.json", "task.json", "teacher.json", "costs.json", "candidates.json", "search.json", "published.json",
    "finalists.json", "report.json", "batch_parts.json", "config.toml", "autokd.log", "study.db", "trials.csv",
    "finalists.csv", "evidence.npz", "report.html", "trials/0/history.csv", "finalists/0/1/proposal.json",
    "finalists/0/1/result.json", "finalists/0/1/history.csv", "finalists/0/1/test_logits.npy",
    "finalists/0/1/val_logits.npy", "finalists/0/1/test_correct.npy",
)  # fmt: skip


def truncated(path: Path) -> None:
    content = path.read_bytes() if path.exists() else b"{}"
    path.write_bytes(content[: len(content) // 2])


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    (path / "inside").mkdir(parents=True)


def holding(content: bytes) -> Callable[[Path], Any]:
    return lambda path: path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": truncated,
    "empty": holding(b""),
    "garbage": holding(bytes(range(256)) * 40),
    "missing": lambda path: path.unlink(missing_ok=True),
    "a folder": folder,
}
OF_JSON = {
    "list": holding(b"[]"),
    "null": holding(b"null"),
    "NaN": holding(b"NaN"),
    "deep": holding(b"[" * 100_000),
}


# every damage is tried on what reads only; what trains is tried on those that take ways of their own
TRIED = {"confirm": ("missing",), "search": ("garbage", "missing", "a folder", "deep")}


def attempts(path: Path, settings: SearchConfig) -> dict[str, Callable[[], Any]]:
    """Those that change nothing first."""

    def call(*arguments: str) -> Callable[[], Any]:
        return lambda: CliRunner().invoke(cli, [arguments[0], str(path), *arguments[1:]], catch_exceptions=False)

    return {
        "decide": call("decide", "--max-cost", "0.5"),
        "report json": call("report", "--format", "json"),
        "report csv": call("report", "--format", "csv"),
        "report": call("report"),
        "confirm": lambda: confirm_run(path, 4, parts=FakeParts()),
        "search": lambda: run_search(settings, output=path, resume=True, parts=FakeParts()),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_ends_every_command_in_one_sentence_or_is_mended(
    made: tuple[SearchConfig, Path], tmp_path: Path, name: str
) -> None:
    settings, original = made
    wrong, path = [], tmp_path / "run"
    for damage, inflict in (DAMAGES | (OF_JSON if name.endswith(".json") else {})).items():
        shutil.copytree(original, path)
        for command, attempt in attempts(path, settings).items():
            if damage not in TRIED.get(command, (damage,)):
                continue
            if command == "search":  # confirm may have mended it
                shutil.rmtree(path)
                shutil.copytree(original, path)
            if command in ("decide", "search"):
                inflict(path / name)
            try:
                attempt()
            except AutokdError as error:
                text = str(error)
                if "\n" in text or len(text) > 700 or str(path) not in text or ";" not in text:
                    wrong.append(f"{damage}, {command}: {text[:300]}")
            except Exception as error:  # noqa: BLE001
                wrong.append(f"{damage}, {command}: {type(error).__name__}: {str(error)[:200]}")
        shutil.rmtree(path)
    assert not wrong, "\n".join(wrong)
