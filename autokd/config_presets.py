"""How much a search trains: what `--preset` and the number of training images make of settings that nobody gave."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

PresetName = Literal["quick", "standard", "thorough"]
MOST_EPOCHS = 300
FINE_TUNING_EPOCHS = 30  # most of a teacher that starts from given weights


class Sizes(NamedTuple):
    """Trials over both arms, epochs of each, seeds of each finalist, batch size, finalists of each arm."""

    trials: int
    epochs: int
    seeds: int
    batch_size: int
    finalists: int


class _Preset(NamedTuple):
    """Columns are for up to 2,000, 20,000, 200,000 and more training images."""

    steps: int  # of the optimizer that a training takes at least
    least_epochs: tuple[int, ...]
    trials: tuple[int, ...]
    finalists: tuple[int, ...]
    seeds: int
    teacher_factor: int  # epochs of a teacher from random weights / those of its students


_UP_TO = (2_000, 20_000, 200_000, math.inf)
_BATCH_SIZES = (32, 64, 128, 256)
_PRESETS: dict[PresetName, _Preset] = {
    "quick": _Preset(200, (6, 5, 8, 10), (8, 8, 12, 12), (1, 1, 2, 2), 3, 1),
    "standard": _Preset(2_000, (10, 10, 20, 30), (16, 16, 24, 24), (2, 2, 3, 3), 3, 2),
    "thorough": _Preset(20_000, (30, 30, 40, 60), (32, 32, 48, 48), (3, 3, 3, 3), 5, 2),
}


def sizes(preset: PresetName, images: int, batch_size: int | None = None) -> Sizes:
    """Of a search on so many training images; with a batch size of one's own the epochs follow it."""
    column = next(i for i, most in enumerate(_UP_TO) if images <= most)
    chosen, batch = _PRESETS[preset], batch_size or _BATCH_SIZES[column]
    for_steps = math.ceil(chosen.steps * min(batch, images) / images)
    epochs = min(MOST_EPOCHS, max(chosen.least_epochs[column], for_steps))
    return Sizes(chosen.trials[column], epochs, chosen.seeds, batch, chosen.finalists[column])


def teacher_epochs(preset: PresetName, student_epochs: int, from_scratch: bool) -> int:
    """Of a teacher trained here; the best of them is kept."""
    if from_scratch:
        return _PRESETS[preset].teacher_factor * student_epochs
    return min(FINE_TUNING_EPOCHS, student_epochs)
