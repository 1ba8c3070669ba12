"""Fixtures for all tests. Nothing here touches the user's own cache."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autokd.config import SearchConfig

if TYPE_CHECKING:
    from autokd.result import SearchResult

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # else the trainings wait for whatever runs beside them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`-n 2 --dist loadgroup`) a file stays in one, and no two clusters run at a time.

    Files with most slow tests come first, so that no process works at them alone in the end.
    """
    slow: Counter[str] = Counter()
    for item in items:
        slow[_group(item)] += item.get_closest_marker("slow") is not None
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: -slow[_group(item)])


def _group(item: pytest.Item) -> str:
    return "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a cache of its own unless it names one, and fetches no weights for its students."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("AUTOKD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def space_file(tmp_path: Path) -> Path:
    """A space of tiny students, all 5 to 20 times smaller than resnet10t."""
    from fakes import SPACE

    path = tmp_path / "tiny.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="session")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 90, 30 and 30 images on which a teacher learns within seconds; do not change it."""
    from helpers_images import write_pattern_folder

    few = {"a": 10, "b": 10, "c": 10}
    parts = {"train": {"a": 30, "b": 30, "c": 30}, "val": few, "test": few}
    return write_pattern_folder(tmp_path_factory.mktemp("patterns"), parts)


@pytest.fixture
def quick(patterns: Path, space_file: Path) -> dict[str, Any]:
    """Settings of a search that really trains: as small as one gets."""
    return {
        "teacher": "resnet10t",
        "max_cost": 1.0,
        "cost_model": "params",
        "data": str(patterns),
        "image_size": 32,
        "teacher_weights": "scratch",
        "teacher_epochs": 4,
        "space": str(space_file),
        "trials": 2,
        "epochs": 2,
        "seeds": 2,
        "finalists": 1,
        "batch_size": 30,
        "min_retention": 0.05,  # so that even these students are good enough to be recommended
    }


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchConfig, Path]:
    """The settings and the folder of a finished run of fakes that says distill; do not change it."""
    from fakes import SPACE, FakeParts

    from autokd.pipeline.search import run_search

    folder = tmp_path_factory.mktemp("made")
    space = folder / "tiny.toml"
    space.write_text(SPACE)
    settings = SearchConfig.of(
        teacher="resnet10t", max_cost=1.0, space=str(space), epochs=6, trials=8, cache_dir=folder / "cache"
    )
    return settings, run_search(settings, output=folder / "run", parts=FakeParts()).path


@pytest.fixture
def settings(made: tuple[SearchConfig, Path]) -> SearchConfig:
    """Of that run."""
    return made[0]


@pytest.fixture
def done(made: tuple[SearchConfig, Path], tmp_path: Path) -> SearchResult:
    """A copy of that run."""
    from autokd.result import load_run

    return load_run(shutil.copytree(made[1], tmp_path / "run", symlinks=True))
