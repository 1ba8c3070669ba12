"""Count every model of the installed timm and write autokd/zoo/catalogue.json; takes most of an hour.

    python scripts/make_catalogue.py                      count (goes on from catalogue.json.part after a kill)
    python scripts/make_catalogue.py --check 100          compare a hundred models with freshly built ones
    python scripts/make_catalogue.py --results FILE       add top-1 from timm's results-imagenet.csv

Every model is built with 10 and with 1,000 classes at its native size, which tells what a class adds, and with 10
classes at each of SIZES. `--check` builds with another number of classes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from pathlib import Path
from typing import Any

import timm
from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg

from autokd.zoo.build import build_arguments
from autokd.zoo.catalogue import FILE, Catalogue, Count, family_hash, shared_hash
from autokd.zoo.count import counted, family

SIZES = (28, 32, 64, 224)
LARGE = 150_000_000  # parameters; above, only the native size and 224 are tried
FEW, MANY, OTHER = 10, 1000, 37


def main() -> int:
    """Count, check, or add accuracies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=int, metavar="N", help="models to compare; 0 for all")
    parser.add_argument("--results", type=Path, help="timm's results-imagenet.csv, or a table with `model` and `top1`")
    asked = parser.parse_args()
    if asked.check is not None:
        return check(asked.check)
    if asked.results:
        content = json.loads(FILE.read_text(encoding="utf-8"))
        add_results(content["models"], asked.results)
        write(FILE, content)
        return 0
    make()
    return 0


def make() -> None:
    """Count all models, one line of catalogue.json.part after the other, then put them together."""
    part = FILE.with_suffix(".json.part")
    lines = part.read_text(encoding="utf-8").splitlines() if part.exists() else []
    models: dict[str, Any] = {}
    for line in lines:
        models |= json.loads(line)
    names: list[str] = timm.list_models()
    with part.open("a", encoding="utf-8") as file:
        for number, name in enumerate(names, start=1):
            if name not in models:
                models[name] = entry(name)
                file.write(json.dumps({name: models[name]}) + "\n")
                file.flush()
            if number % 50 == 0:
                print(f"{number} of {len(names)}", flush=True)
    families = sorted({model["family"] for model in models.values()})
    content = {
        "timm": timm.__version__,
        "shared": shared_hash(),
        "families": {name: family_hash(name) for name in families},
        "models": {name: models[name] for name in names},
    }
    write(FILE, content)
    part.unlink()


def entry(name: str) -> dict[str, Any]:
    """One model of the catalogue."""
    config = get_pretrained_cfg(name).to_dict()
    native = config["input_size"][-1]
    few, many = counted(name, FEW, native), counted(name, MANY, native)
    found: dict[str, Any] = {"family": family(name), "native": native}
    if config.get("min_input_size"):
        found["minimum"] = config["min_input_size"][-1]
    if config.get("fixed_input_size"):
        found["fixed"] = True
    if build_arguments(name, native):
        found["takes_size"] = True
    if isinstance(few, str) or isinstance(many, str):
        return found | {"per_class": [0, 0, 0], "sizes": {str(native): few if isinstance(few, str) else str(many)}}
    per_class = [_share(a, b) for a, b in zip(_three(few), _three(many), strict=True)]
    sizes = sorted({native, 224} if few.parameters > LARGE else {native, *SIZES})
    counts = {size: few if size == native else counted(name, FEW, size) for size in sizes}
    found |= {"per_class": per_class, "sizes": {str(size): _packed(c, per_class) for size, c in counts.items()}}
    if weights := _weights(name):
        found["weights"] = weights
    return found


def _three(count: Count) -> tuple[int, int, int]:
    return count.parameters, count.macs, count.activations


def _share(few: int, many: int) -> int:
    each, rest = divmod(many - few, MANY - FEW)
    if rest:
        raise ValueError(f"{few} and {many}: not the same for every class")
    return each


def _packed(count: Count | str, per_class: list[int]) -> list[int] | str:
    if isinstance(count, str):
        return count
    return [value - FEW * each for value, each in zip(_three(count), per_class, strict=True)] + [count.layers]


def _weights(name: str) -> dict[str, str]:
    """Tags of weights that can be fetched, with their licence."""
    found = {}
    for full, config in get_arch_pretrained_cfgs(name).items():
        if config.has_weights:
            found[full.partition(".")[2]] = config.license or ""
    return found


def add_results(models: dict[str, Any], results: Path) -> None:
    """Top-1 in percent for each tag at the table's first image size for it."""
    with results.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name, _, tag = row["model"].partition(".")
            if name in models and tag in models[name].get("weights", {}):
                models[name].setdefault("top1", {}).setdefault(tag, float(row["top1"]))


def write(path: Path, content: dict[str, Any]) -> None:
    """JSON with one model a line."""
    models = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(m, separators=(',', ':'))}" for name, m in content["models"].items()
    )
    head = json.dumps({key: value for key, value in content.items() if key != "models"}, indent=0)
    path.write_text(head.rstrip("}\n") + ',\n"models": {\n' + models + "\n}\n}\n", encoding="utf-8")


def check(number: int) -> int:
    """Compare with models that are built now, with another number of classes; 1 where any differs."""
    known = Catalogue()
    names = known.names()
    if number:
        names = random.Random(0).sample(names, min(number, len(names)))  # noqa: S311 - a sample
    wrong = 0
    for name in names:
        found = known.get(name)
        for size in found.sizes if found else ():
            fresh, stored = counted(name, OTHER, size), found.count(OTHER, size) if found else None
            if fresh != stored:
                wrong += 1
                print(f"{name} at {size} px: {stored} in the catalogue, {fresh} when built")
    print(f"{len(names)} models compared with timm {timm.__version__}, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
