"""Serving speed by runtime and form: every model in every runtime, as it is trained and as it is served.

All take turns, three passes of a batch each round after one that fills the caches. Speeds are multiples of the first
model's in the same runtime and form, and of the model's own in eager torch as it is trained.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import get_args

import numpy as np
import torch
from timing import Rounds, about, ratio, table

from autokd.cost.runtimes.open import open_runtime
from autokd.cost.runtimes.protocol import ready
from autokd.records import CostModel, RuntimeName
from autokd.zoo.build import build
from autokd.zoo.served_form import served_form

MODELS = ("resnet152", "resnet50", "resnet18", "mobilenetv3_large_100", "efficientnet_lite0", "repvit_m0_9")
CLASSES = 1000
FORMS = ("trained", "served")
Case = tuple[str, RuntimeName, str]  # model, runtime, form


def main(arguments: Sequence[str] | None = None) -> None:
    """Time every case and print both tables."""
    asked = _parse(arguments)
    print(about("cpu"))
    print(f"{asked.size} px, batch of {asked.batch}, {asked.rounds} rounds\n")
    cases: list[Case] = list(itertools.product(asked.models, asked.runtimes, FORMS))
    sides = {_key(case): _loaded(case, asked.size, asked.batch) for case in cases}
    seconds = _in_turn(sides, asked.rounds)
    print(table([_against_first(asked, model, seconds) for model in asked.models]), "\n")
    print(table([_against_itself(asked, model, seconds) for model in asked.models]))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--runtimes", nargs="+", choices=get_args(RuntimeName), default=get_args(RuntimeName))
    parser.add_argument("--size", type=int, default=224, help="pixels a side")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args(arguments)


def _key(case: Case) -> str:
    return " ".join(case)


def _loaded(case: Case, size: int, batch: int) -> Callable[[], float]:
    name, runtime, form = case
    torch.manual_seed(0)
    model = build(name, CLASSES, size).eval().requires_grad_(False)
    served = CostModel(
        model="measured",
        price_usd_per_hour=1.0,
        price_source="none",
        price_date="none",
        instance="none",
        train_price_usd_per_hour=1.0,
        device="cpu",
        runtime=runtime,
        batch_size=batch,
        image_size=size,
    )
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0))
    loaded = ready(open_runtime(served), served_form(model, size) if form == "served" else model, images)
    return lambda: loaded.seconds(batch)


def _in_turn(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Median seconds of three passes of every side in every round; every second round takes the opposite order."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else reversed(list(sides)):
            sides[name]()
            seconds[name].append(float(np.median([sides[name]() for _ in range(3)])))
    return seconds


def _against_first(asked: argparse.Namespace, model: str, seconds: dict[str, list[float]]) -> dict[str, object]:
    """How many times as fast as the first model."""

    def speed(runtime: RuntimeName, form: str) -> float:
        return ratio(seconds[_key((asked.models[0], runtime, form))], seconds[_key((model, runtime, form))])

    columns = itertools.product(asked.runtimes, FORMS)
    return {"model": model} | {f"{runtime}, {form}": speed(runtime, form) for runtime, form in columns}


def _against_itself(asked: argparse.Namespace, model: str, seconds: dict[str, list[float]]) -> dict[str, object]:
    """How many times as fast as in the first runtime, as it is trained; with the middle half of the rounds."""
    base = seconds[_key((model, asked.runtimes[0], "trained"))]
    columns = itertools.product(asked.runtimes, FORMS)
    return {"model": model} | {
        f"{runtime}, {form}": _told(base, seconds[_key((model, runtime, form))]) for runtime, form in columns
    }


def _told(above: Rounds, below: Rounds) -> str:
    low, high = np.percentile(np.asarray(above) / np.asarray(below), (25, 75))
    return f"{ratio(above, below):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
