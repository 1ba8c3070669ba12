"""Fixtures for all tests. Nothing here touches the user's own cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
