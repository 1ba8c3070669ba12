"""Fixtures for all tests. Nothing here touches the user's own cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autokd.config import SearchConfig

if TYPE_CHECKING:
    from autokd.result import SearchResult

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (`-n 2 --dist loadgroup`) a file stays in one, and no two clusters run at a time."""
    for item in items:
        group = "ray" if item.get_closest_marker("ray") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has a cache of its own unless it names one, and fetches no weights for its students."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("AUTOKD_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def space_file(tmp_path: Path) -> Path:
    """A space of tiny students, all 5 to 20 times smaller than resnet10t."""
    path = tmp_path / "tiny.toml"
    path.write_text(
        '[students]\ninclude = ["test_resnet", "lcnet_035", "mobilenetv3_small_050", "lcnet_050"]\n'
        "[[first]]\ntemperature = 4.0\nalpha = 0.9\n"
    )
    return path


@pytest.fixture
def settings(space_file: Path, tmp_path: Path) -> SearchConfig:
    """Of a small search that fakes can run."""
    return SearchConfig.of(
        teacher="resnet10t", max_cost=1.0, space=str(space_file), epochs=6, trials=8, cache_dir=tmp_path / "cache"
    )


@pytest.fixture
def done(settings: SearchConfig, tmp_path: Path) -> SearchResult:
    """A finished run that says distill."""
    from fakes import FakeParts

    from autokd.pipeline.search import run_search

    return run_search(settings, output=tmp_path / "run", parts=FakeParts())
