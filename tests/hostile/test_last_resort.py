"""An error that nobody expected: one sentence, exit code 1, and the traceback in a file or with --debug."""

from __future__ import annotations

import re
import stat
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

import autokd.cli
from autokd.memory import is_device_memory, is_memory


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, *flags: str, debug: str = ""
) -> str:
    """What `autokd spaces list` says on stderr where this error is raised."""

    def fails() -> None:
        raise error

    monkeypatch.setenv(autokd.cli.DEBUG, debug)
    monkeypatch.setattr("autokd.tune.space.files.shipped_spaces", fails)
    monkeypatch.setattr(sys, "argv", ["autokd", *flags, "spaces", "list"])
    with pytest.raises(SystemExit) as ended:
        autokd.cli.main()
    assert ended.value.code == 1
    return capsys.readouterr().err


def test_an_unexpected_error_is_one_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(monkeypatch, capsys, ZeroDivisionError("a secret\nsecond line"))
    assert told.count("\n") == 1 and "Traceback" not in told
    assert told.startswith("autokd: an error that autokd did not expect (ZeroDivisionError: a secret); ")
    found = re.search(r"(/\S+\.log) tells where it comes from; please report it", told)
    assert found is not None
    text = Path(found[1]).read_text()
    assert "Traceback" in text and "second line" in text and "autokd spaces list" in text and "torch" in text
    assert stat.S_IMODE(Path(found[1]).stat().st_mode) == 0o600


@pytest.mark.parametrize(("flags", "debug"), [(["--debug"], ""), ([], "1")])
def test_debug_shows_the_traceback_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], flags: list[str], debug: str
) -> None:
    told = said(monkeypatch, capsys, ZeroDivisionError("x"), *flags, debug=debug)
    assert "Traceback" in told and told.splitlines()[-1].startswith("autokd: an error that autokd did not expect")


def test_where_no_file_can_be_written_the_sentence_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    told = said(monkeypatch, capsys, ZeroDivisionError("x"))
    assert told.count("\n") == 1 and "`autokd --debug` with the same command" in told


def test_a_full_disk_is_called_that(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(monkeypatch, capsys, OSError(28, "No space left on device"))
    assert told.startswith("autokd: the disk is full; make room on it, and go on with --resume; ")


def too_much() -> list[tuple[Exception, str]]:
    found: list[tuple[Exception, str]] = [(MemoryError(), "")]
    for ask, says in (
        (lambda: torch.empty(1 << 55, dtype=torch.uint8), "36028797.0 GB were asked for"),
        (lambda: np.empty(1 << 55, dtype=np.uint8), " GB were asked for"),
    ):
        try:
            ask()
        except (MemoryError, RuntimeError) as error:
            found.append((error, says))
    found.append((torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"), "2.1 GB were asked"))
    return found


def test_too_little_memory_says_what_was_asked_for_and_what_makes_it_smaller(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = too_much()
    assert len(errors) == 4
    for error, says in errors:
        assert is_memory(error)
        told = said(monkeypatch, capsys, error)
        assert told.count("\n") == 1 and says in told
        assert "there is not enough memory" in told and "give a smaller --resident-gb, --batch-size" in told
    assert not is_memory(RuntimeError("shapes differ"))


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory",
        "CUDA ran out of memory outside PyTorch's allocator.",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    ],
)
def test_the_libraries_of_a_gpu_say_too_little_memory_in_their_own_words(text: str) -> None:
    assert is_device_memory(RuntimeError(text)) and is_memory(RuntimeError(text))
    assert not is_device_memory(ValueError(text))


@pytest.mark.parametrize(
    "text",
    [
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a non-contiguous input.",
        "CUDA error: device-side assert triggered",
        "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`",
    ],
)
def test_other_errors_of_a_gpu_are_not_about_memory(text: str) -> None:
    assert not is_memory(RuntimeError(text))


def test_memory_of_the_machine_is_not_that_of_a_device() -> None:
    errors = [
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED"),
    ]
    assert [(is_memory(error), is_device_memory(error)) for error in errors] == [(True, False)] * 3
