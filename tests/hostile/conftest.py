"""One finished run of fakes for all tests of this folder; every test damages a copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeParts

from autokd.config import SearchConfig
from autokd.pipeline.search import run_search
from autokd.result import SearchResult, load_run

SPACE = (
    '[students]\ninclude = ["test_resnet", "lcnet_035", "mobilenetv3_small_050", "lcnet_050"]\n'
    "[[first]]\ntemperature = 4.0\nalpha = 0.9\n"
)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SearchConfig, Path]:
    """The settings and the folder of a run that says distill; nobody changes it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.toml").write_text(SPACE)
    space, cache = str(folder / "tiny.toml"), folder / "cache"
    settings = SearchConfig.of(teacher="resnet10t", max_cost=1.0, space=space, epochs=2, trials=4, cache_dir=cache)
    return settings, run_search(settings, output=folder / "run", parts=FakeParts()).path


@pytest.fixture
def settings(made: tuple[SearchConfig, Path]) -> SearchConfig:
    """Of that run."""
    return made[0]


@pytest.fixture
def done(made: tuple[SearchConfig, Path], tmp_path: Path) -> Iterator[SearchResult]:
    """A copy of that run."""
    yield load_run(shutil.copytree(made[1], tmp_path / "run", symlinks=True))
