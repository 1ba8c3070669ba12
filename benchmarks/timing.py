"""Ratios within one run: what is compared takes turns, round by round, so that noise hits both alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import timm
import torch

from autokd.machine import hardware
from autokd.precision import precision_of

Rounds = Sequence[float]  # seconds, one entry a round


def interleave(
    sides: Mapping[str, Callable[[], object]], rounds: int, device: str = "cpu", warm_up: int = 1
) -> dict[str, list[float]]:
    """Seconds of every side in every round; every second round takes the sides in the opposite order."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(warm_up + rounds):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            took = timed(sides[name], device)
            if number >= warm_up:
                seconds[name].append(took)
    return seconds


def timed(work: Callable[[], object], device: str = "cpu") -> float:
    """Seconds until `work` is done, on the device too."""
    synchronise(device)
    start = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: str) -> None:
    """Wait for a GPU; a CPU has no queue."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def ratio(above: Rounds, below: Rounds) -> float:
    """Median over rounds of the ratio within a round."""
    return float(np.median(np.asarray(above) / np.asarray(below)))


def spread(above: Rounds, below: Rounds) -> str:
    """Middle half of the rounds' ratios."""
    low, high = np.percentile(np.asarray(above) / np.asarray(below), (25, 75))
    return f"{low:.3f} to {high:.3f}"


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows as a markdown table; the first row's keys name the columns."""
    rows = list(rows)
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"


def about(device: str) -> str:
    """What the ratios were measured on, in one line."""
    kind = torch.device(device).type
    name = torch.cuda.get_device_name(device) if kind == "cuda" else hardware()["cpu"]
    threads = f"{torch.get_num_threads()} threads on {hardware()['cores']} cores"
    return f"{name}, {threads}, {precision_of(device)}, torch {torch.__version__}, timm {timm.__version__}"
