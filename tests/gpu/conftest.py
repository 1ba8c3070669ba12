"""What every GPU branch is tried on; the whole folder takes about a minute.

AUTOKD_TEST_DEVICE=cpu tries most of these tests themselves on a machine without a GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from helpers_images import TEACHER_INPUT, settings

from autokd.data.task import TaskData, open_task, prepare_task
from autokd.memory import free_memory
from autokd.progress import Silent

DEVICE = os.environ.get("AUTOKD_TEST_DEVICE", "cuda")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder needs a device; the hook hears of all other tests too."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            item.add_marker(pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA"))


@pytest.fixture(scope="session")
def device() -> str:
    """The one that is tried."""
    return DEVICE


@pytest.fixture(scope="session")
def only_cuda(device: str) -> None:
    """What no other device has."""
    if device != "cuda":
        pytest.skip("no CUDA device")


@pytest.fixture(scope="session")
def task_folder(patterns: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The task of the small pictures."""
    cache = tmp_path_factory.mktemp("gpu")
    asked = settings(data=str(patterns), image_size=32, cache_dir=cache, loader_workers=0)
    return prepare_task(asked, TEACHER_INPUT, Silent())


@pytest.fixture
def data(task_folder: Path, device: str) -> TaskData:
    """That task on the device."""
    return open_task(task_folder, device)


@pytest.fixture(params=["bf16", "fp16"])
def half(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, only_cuda: None) -> str:
    """The whole package in a precision of GPUs: that of older ones is forced on newer ones, never the other way."""
    if request.param == "bf16" and torch.cuda.get_device_capability()[0] < 8:
        pytest.skip("this GPU has no bfloat16")
    monkeypatch.setattr("autokd.precision.has_bf16", lambda device: request.param == "bf16")
    return str(request.param)


@pytest.fixture
def with_room(only_cuda: None) -> Iterator[Callable[[int], AbstractContextManager[None]]]:
    """Leaves so many more bytes of the GPU to torch."""

    @contextmanager
    def room(size: int) -> Iterator[None]:
        free_memory()
        total = torch.cuda.mem_get_info()[1]
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + size) / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
            free_memory()

    return room
