"""What autokd writes can be read by whoever the umask lets, and what cannot be written ends in one sentence."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from autokd.errors import AutokdError, DiskError, PathError
from autokd.files import check_folder, is_new, make_folder, refusal, replacing, replacing_folder, sweep, write_text


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folders_have_the_permissions_of_the_umask(tmp_path: Path, umask: int) -> None:
    write_text(tmp_path / "deep" / "report.json", "{}")
    with replacing_folder(tmp_path / "student") as work:
        private = work / "model.safetensors"
        private.touch(mode=0o600)
        private.chmod(0o600)  # as safetensors leaves it
        (work / "inner").mkdir()
        (work / "inner" / "config.json").touch(mode=0o600)
    files = ["deep/report.json", "student/model.safetensors", "student/inner/config.json"]
    assert {mode(tmp_path / name) for name in files} == {0o666 & ~umask}
    assert {mode(tmp_path / name) for name in ("deep", "student")} == {0o777 & ~umask}
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == ["inner", "model.safetensors"]


def test_a_write_that_fails_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a.json", "old")
    with pytest.raises(KeyError), replacing(tmp_path / "a.json") as file:
        file.write(b"new")
        raise KeyError
    with pytest.raises(KeyError), replacing_folder(tmp_path / "a") as work:
        (work / "x").touch()
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").touch()
    (tmp_path / "a").symlink_to(tmp_path / "mine")
    (tmp_path / "b").symlink_to(tmp_path / "folder")
    write_text(tmp_path / "a", "ours")
    with replacing_folder(tmp_path / "b") as work:
        (work / "ours").touch()
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "folder" / "mine").exists()
    assert not (tmp_path / "a").is_symlink() and not (tmp_path / "b").is_symlink()


def test_what_a_killed_process_left_half_written_is_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "trials" / "0").mkdir(parents=True)
    left = tmp_path / "trials" / "0" / ".checkpoint.pt.0123abcd.part"
    left.touch()
    (tmp_path / ".student.0123abcd.part").mkdir()
    others = [tmp_path / name for name in ("run.json", ".notes.txt.original", ".lock", "x.0123abcd.part")]
    for path in others:
        path.touch()
    sweep(tmp_path)
    assert not left.exists() and not (tmp_path / ".student.0123abcd.part").exists()
    assert all(path.exists() for path in others)


def impossible(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone" / "deep")
    return {
        "file is a file where a folder belongs": tmp_path / "file",
        "/file is a file where a folder belongs": tmp_path / "file" / "x" / "y",
        "loop is a symbolic link": tmp_path / "loop",
        "/loop is a symbolic link": tmp_path / "loop" / "x",
        "nowhere is a symbolic link that leads to no folder": tmp_path / "nowhere",
        "its name is too long": tmp_path / ("a" * 300),
        "cannot be made there": Path("/proc/autokd/x"),
    }


def test_a_folder_that_cannot_be_made_ends_in_one_sentence(tmp_path: Path) -> None:
    for says, path in impossible(tmp_path).items():
        for make in (make_folder, lambda path: write_text(path / "x", "")):
            with pytest.raises(PathError) as caught:
                make(path)
            assert says in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_where_a_file_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json" / "x").mkdir(parents=True)
    with pytest.raises(PathError, match=r"run\.json is a folder where a file belongs; move it away"):
        write_text(tmp_path / "run.json", "")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, DiskError, "the disk is full; make room on it"),
        (errno.EDQUOT, DiskError, "the disk is full; make room on it"),
        (errno.EIO, DiskError, "Input/output error"),
        (errno.EROFS, PathError, "its disk is read-only; choose another folder"),
        (errno.EACCES, PathError, "you may not read or write there; choose another folder"),
    ],
)
def test_a_disk_that_takes_nothing_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[AutokdError], says: str
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    write_text(tmp_path / "a.json", "old")
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(kind, match=says):
        write_text(tmp_path / "a.json", "new")
    monkeypatch.setattr(Path, "mkdir", fails)
    with pytest.raises(kind, match=says):
        make_folder(tmp_path / "x")
    assert (tmp_path / "a.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert kind.exit_code == (1 if kind is DiskError else 2)


def test_a_place_that_is_only_looked_at_is_a_folder_or_nothing(tmp_path: Path) -> None:
    places = impossible(tmp_path)
    check_folder(tmp_path)
    check_folder(tmp_path / "absent")
    assert is_new(tmp_path / "absent") and not is_new(tmp_path)
    for path in (tmp_path / "file", tmp_path / "loop", tmp_path / ("a" * 300), tmp_path / "nowhere"):
        assert path in places.values()
        with pytest.raises(PathError):
            check_folder(path)
        with pytest.raises(PathError):
            is_new(path)


def test_every_refusal_is_one_sentence_with_a_next_step(tmp_path: Path) -> None:
    for number in errno.errorcode:
        text = str(refusal(tmp_path / "x", OSError(number, os.strerror(number))))
        assert "\n" not in text and ("; " in text)
