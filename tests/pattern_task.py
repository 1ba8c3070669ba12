"""A folder task on which a tiny teacher learns within seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers_images import one_thread, prepared, settings, write_pattern_folder

from autokd.config import SearchConfig
from autokd.data.task import TaskData


@pytest.fixture(scope="session")
def pattern_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 32 px patterns in three parts; do not change it."""
    few = {"a": 10, "b": 10, "c": 10}
    return write_pattern_folder(
        tmp_path_factory.mktemp("patterns"), {"train": {"a": 40, "b": 40, "c": 40}, "val": few, "test": few}
    )


@pytest.fixture
def config(pattern_folder: Path) -> SearchConfig:
    """Settings for that folder, with a teacher trained from scratch."""
    return settings(data=str(pattern_folder), teacher_weights="scratch", teacher_epochs=5, batch_size=16)


@pytest.fixture
def data(config: SearchConfig) -> TaskData:
    """The task of these settings."""
    return prepared(config)


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield
