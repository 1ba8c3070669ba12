"""The time of decoding the user's own pictures: of encoded ones only, kept with the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autokd.data.decode_time import (
    FILE,
    WARM_UP,
    decode_milliseconds,
    keep_decode_time,
    kept_decode_time,
    knows_decode_time,
)
from autokd.data.sources.open import read_parts
from autokd.data.streaming import Shown


def photos(root: Path, count: int, side: int) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 255, (side, side + side // 3, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.jpg")
    return root


def test_larger_pictures_take_longer(tmp_path: Path) -> None:
    shown = Shown(32, "bicubic", 40)
    small, large = (read_parts(str(photos(tmp_path / str(side), 8, side)), None).train for side in (32, 640))
    quick, slow = decode_milliseconds(small, shown), decode_milliseconds(large, shown)
    assert quick is not None and slow is not None
    assert 0 < 4 * quick < slow


def test_a_picture_that_takes_long_is_timed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autokd.data.decode_time.SECONDS", 0.0)
    parts = read_parts(str(photos(tmp_path / "slow", 8, 640)), None)
    assert decode_milliseconds(parts.train, Shown(32, "bicubic")) is not None


def test_what_another_processor_took_is_not_known_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_decode_time(tmp_path, 3.25)
    assert knows_decode_time(tmp_path)
    monkeypatch.setattr("autokd.data.decode_time.processor_name", lambda: "another one")
    assert not knows_decode_time(tmp_path)
    assert kept_decode_time(tmp_path) is None


def test_arrays_need_no_decoding() -> None:
    assert decode_milliseconds(read_parts("digits", None).train, Shown(32, "bicubic")) is None


def test_too_few_pictures_and_unreadable_ones_tell_nothing(tmp_path: Path) -> None:
    root = photos(tmp_path / "few", 8, 32)
    parts = read_parts(str(root), None)
    for path in list(root.rglob("*.jpg"))[WARM_UP:]:
        path.write_bytes(b"no picture")
    assert decode_milliseconds(parts.train, Shown(32, "bicubic")) is None


@pytest.mark.parametrize("milliseconds", [None, 3.25])
def test_it_is_kept_with_the_task(milliseconds: float | None, tmp_path: Path) -> None:
    keep_decode_time(tmp_path, milliseconds)
    assert kept_decode_time(tmp_path) == milliseconds


def test_a_damaged_or_missing_file_is_nothing_known(tmp_path: Path) -> None:
    assert kept_decode_time(tmp_path) is None
    (tmp_path / FILE).write_text("{")
    assert kept_decode_time(tmp_path) is None
