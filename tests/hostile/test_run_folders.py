"""A run folder or a cache entry that a stranger made: nothing beyond it is changed, and nothing waits for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import FakeParts

from autokd.cache import locks
from autokd.cli import cli
from autokd.config import SearchConfig
from autokd.errors import PathError
from autokd.files import check_regular, opened
from autokd.pipeline.search import confirm_run, run_search
from autokd.result import SearchResult
from autokd.runs.folder import Run
from autokd.soft_labels.format import layout_of, mend_frame, view_path, write_chunk
from autokd.tune.study_file import write_ahead

PRECIOUS = "a diary of thirty years\n" * 1000


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    path = tmp_path / "diary.txt"
    path.write_text(PRECIOUS)
    return path


def one_sentence(error: BaseException) -> str:
    text = str(error)
    assert "\n" not in text and "Traceback" not in text and 20 < len(text) < 600
    return text


@pytest.mark.parametrize(
    "name", [".lock", "autokd.log", "study.db", "run.json", "trials.csv", "finalists/0/1/result.json"]
)
def test_a_link_in_a_run_folder_is_named_and_what_it_points_to_stays(
    done: SearchResult, settings: SearchConfig, diary: Path, name: str
) -> None:
    path = done.path / name
    before = path.read_bytes() if path.exists() else b""
    target = diary
    if name == "run.json":
        diary.write_bytes(before)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    content = target.read_bytes()
    for call in (
        lambda: run_search(settings, output=done.path, resume=True, parts=FakeParts()),
        lambda: confirm_run(done.path, 5, parts=FakeParts()),
    ):
        with pytest.raises(PathError) as caught:
            call()
        assert f"{path} is a symbolic link" in one_sentence(caught.value)
    assert target.read_bytes() == content


@pytest.mark.parametrize("name", ["trials/0", "finalists/0", "student", "trials"])
def test_a_linked_folder_in_a_run_folder_is_not_written_or_removed(
    done: SearchResult, settings: SearchConfig, tmp_path: Path, name: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "1").mkdir(parents=True)
    for mine in (elsewhere / "history.csv", elsewhere / "1" / "thesis.txt", elsewhere / "checkpoint.pt"):
        mine.write_text("mine")
    (done.path / name).rename(tmp_path / "moved")
    (done.path / name).symlink_to(elsewhere)
    with pytest.raises(PathError, match="is a symbolic link, and nothing is written through one"):
        run_search(settings, output=done.path, resume=True, parts=FakeParts())
    assert {p.read_text() for p in elsewhere.rglob("*") if p.is_file()} == {"mine"}
    assert len(list(elsewhere.rglob("*"))) == 4


def test_a_dangling_link_makes_nothing_elsewhere(done: SearchResult, settings: SearchConfig, tmp_path: Path) -> None:
    (done.path / ".lock").unlink()
    (done.path / ".lock").symlink_to(tmp_path / "made")
    with pytest.raises(PathError, match=r"\.lock is a symbolic link"):
        run_search(settings, output=done.path, resume=True, parts=FakeParts())
    assert not (tmp_path / "made").exists()


def test_a_lock_cuts_nothing(done: SearchResult) -> None:
    (done.path / ".lock").write_text("kept")
    with Run(done.path).lock():
        pass
    assert (done.path / ".lock").read_text() == "kept"


@pytest.mark.parametrize("name", [".lock", "autokd.log", "evidence.npz", "trials/0/history.csv"])
def test_a_pipe_in_a_run_folder_is_named_instead_of_waited_for(done: SearchResult, name: str) -> None:
    (done.path / name).unlink(missing_ok=True)
    os.mkfifo(done.path / name)
    for command in (["decide"], ["report"], ["confirm", "--seeds", "5"]):
        result = CliRunner().invoke(cli, [command[0], str(done.path), *command[1:]])
        assert f"{name} is neither a file nor a folder; remove it" in one_sentence(result.exception or Exception())


def test_a_link_to_a_device_is_not_read(done: SearchResult) -> None:
    (done.path / "trials" / "0" / "history.csv").unlink()
    (done.path / "trials" / "0" / "history.csv").symlink_to("/dev/zero")
    with pytest.raises(PathError, match=r"history\.csv is neither a file nor a folder"):
        Run.open(done.path)


def test_a_run_folder_that_is_reached_through_a_link_is_used(
    done: SearchResult, settings: SearchConfig, tmp_path: Path
) -> None:
    (tmp_path / "latest").symlink_to(done.path)
    assert run_search(settings, output=tmp_path / "latest", resume=True, parts=FakeParts()).verdict == done.verdict
    check_regular(tmp_path / "latest")


@pytest.mark.parametrize("name", [".held", ".lock"])
def test_the_lock_of_a_cache_entry_follows_no_link(tmp_path: Path, diary: Path, name: str) -> None:
    entry = tmp_path / "entry"
    entry.mkdir()
    (entry / name).symlink_to(diary)
    attempt: Any = opened(entry / name) if name == ".lock" else None
    with pytest.raises(PathError, match="is a symbolic link that is not followed; remove it"):
        if attempt is None:
            locks.Hold(entry)
        else:
            attempt.__enter__()
    assert diary.read_text() == PRECIOUS
    if name == ".held":
        assert locks.is_held(entry)


def test_the_views_of_a_cache_entry_are_not_written_through_a_link(tmp_path: Path, diary: Path) -> None:
    layout = layout_of(3, 2)
    view_path(tmp_path, 0).symlink_to(diary)
    with pytest.raises(PathError, match="is a symbolic link that is not followed"):
        mend_frame(tmp_path, 0, layout)
    with pytest.raises(PathError, match="is a symbolic link that is not followed"):
        write_chunk(tmp_path, 0, layout, 0, __import__("numpy").zeros((3, 2), dtype="float16"))
    assert diary.read_text() == PRECIOUS


def test_the_ledger_is_not_written_through_a_link(tmp_path: Path, diary: Path) -> None:
    (tmp_path / "study.db").symlink_to(diary)
    with pytest.raises(PathError, match=r"study\.db is a symbolic link"):
        write_ahead(tmp_path / "study.db")
    assert diary.read_text() == PRECIOUS
