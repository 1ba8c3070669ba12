"""Count every model of the installed timm and write autokd/zoo/catalogue.json; from nothing it takes two hours.

    python scripts/make_catalogue.py                      count; after a kill it goes on from catalogue.json.part
    python scripts/make_catalogue.py --results FILE       the same, with a table of ImageNet accuracies
    python scripts/make_catalogue.py --check 100          compare a hundred models with freshly built ones (0: all)

Every model is built with 10 and with 1,000 classes at its native size, which tells what a class adds, and with 10
classes at each of SIZES. What the present file has of a model whose sources in timm are the same is kept, so that only
new and changed models and new SIZES are counted; remove the file to count all of them. `--check` builds with another
number of classes, so that it also sees whether counts follow `body + classes x per class`.

imagenet_top1.csv has the accuracies of results/results-imagenet.csv in timm's repository (commit 7479d451), for each
weights the best of their image sizes; without --results those of the present file stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
from timm.models import get_arch_pretrained_cfgs, get_pretrained_cfg, split_model_name_tag

from autokd.zoo.build import build_arguments
from autokd.zoo.catalogue import FILE, Catalogue, Count, Entry
from autokd.zoo.count import counted, counted_model, family
from autokd.zoo.served_form import build_served_on_meta
from autokd.zoo.timm_hashes import family_hash, shared_hash

SIZES = (28, 32, 64, 96, 128, 160, 192, 224, 256, 288, 384)
LARGE = 150_000_000  # parameters; above, only two sizes are tried: no usual teacher has such students
FEW, MANY, OTHER = 10, 1000, 37  # classes
PART = FILE.with_suffix(".json.part2")

# A reason is stored by its place here: the first for whatever timm says when it builds a model.
REASONS = ["it cannot be built for this size", "its forward pass fails", "it does not give one score for each class"]

Numbers = list[int]  # parameters, MACs, activations, layers
Raw = dict[str, Any]  # what was counted of one model: numbers or a reason by size, and numbers with many classes


def main() -> int:
    """Count or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", type=int, metavar="N", help="compare N models (0: all) instead of writing the file")
    parser.add_argument("--results", type=Path, help="timm's table of accuracies, with `model` and `top1`")
    asked = parser.parse_args()
    if asked.check is not None:
        return check(asked.check)
    names: list[str] = timm.list_models()
    counts = count_all(names)
    published = read_results(asked.results) if asked.results else known_results()
    models = {name: entry(name, counts[name], published) for name in names}
    for name in [name for name, model in models.items() if model is None]:
        print(f"{name} is left out: its counts are not body + classes x per class")
    write({name: model for name, model in models.items() if model is not None})
    PART.unlink()
    return 0


def count_all(names: list[str]) -> dict[str, Raw]:
    """Every model once; a line of the part file as soon as one is counted."""
    done: dict[str, Raw] = {}
    if PART.exists():
        for line in PART.read_text(encoding="utf-8").splitlines():
            done |= json.loads(line)
    present = Catalogue() if FILE.exists() else None
    with PART.open("a", encoding="utf-8") as file:
        for number, name in enumerate(names, start=1):
            if name not in done:
                done[name] = count_one(name, present.get(name) if present else None)
                file.write(json.dumps({name: done[name]}) + "\n")
                file.flush()
            if number % 50 == 0:
                print(f"{number} of {len(names)}", flush=True)
    return done


def count_one(name: str, known: Entry | None) -> Raw:
    """What building it says: parameters with few and many classes, counts at every size, and with many classes."""
    native = native_size(name)
    parameters = [known.parameters(c, native) if known else _parameters(name, c, native) for c in (FEW, MANY)]
    sizes = sorted({native, *(SIZES if (parameters[0] or 0) <= LARGE else (224,))})
    few = {size: known.count(FEW, size) if known else None for size in sizes}
    missing = [size for size, count in few.items() if count is None]
    many = (known.count(MANY, native) if known else None) or counted(name, MANY, native)
    fresh = _counts(name, FEW, missing) if missing else {}
    counts = {size: count for size, count in (few | fresh).items() if count is not None}
    each: dict[str, tuple[int, int]] = {}
    if not _grows_alike(name, counts[native], many, {s: c for s, c in fresh.items() if s != native}):
        each = _shares(name, fresh)
    return {
        "each": each,
        "parameters": parameters,
        "few": {str(s): _plain(c) for s, c in counts.items()},
        "many": _plain(many),
    }


def _grows_alike(name: str, few: Count | str, many: Count | str, fresh: dict[int, Count | str | None]) -> bool:
    """Whether a class adds as much at another image size as at the native one.

    It does not where the head scores every patch (VOLO) or pools with as many positions as there are (CLIP's ResNets).
    """
    elsewhere = next((size for size, count in fresh.items() if isinstance(count, Count)), None)
    if elsewhere is None or isinstance(few, str) or isinstance(many, str):
        return True
    here, there = fresh[elsewhere], counted(name, MANY, elsewhere)
    assert isinstance(here, Count)  # noqa: S101
    return isinstance(there, Count) and _added(here, there) == _added(few, many)


def _shares(name: str, few: dict[int, Count | str | None]) -> dict[str, tuple[int, int]]:
    """MACs and activations that one class adds, by image size."""
    working = {size: count for size, count in few.items() if isinstance(count, Count)}
    many = _counts(name, MANY, sorted(working))
    found = {}
    for size, count in working.items():
        there = many[size]
        assert isinstance(there, Count)  # noqa: S101
        macs, activations = (divmod(added, MANY - FEW) for added in _added(count, there))
        assert not (macs[1] or activations[1])  # noqa: S101
        found[str(size)] = (macs[0], activations[0])
    return found


def _added(few: Count, many: Count) -> tuple[int, int]:
    """MACs and activations that so many more classes add."""
    return many.macs - few.macs, many.activations - few.activations


def _counts(name: str, classes: int, sizes: list[int]) -> dict[int, Count | str | None]:
    """Counts at several sizes; a model that takes no image size is built once."""
    if "img_size" in build_arguments(name, sizes[0]):
        return {size: counted(name, classes, size) for size in sizes}
    model = build_served_on_meta(name, classes, sizes[0])
    return {size: counted_model(model, classes, size, family(name)) for size in sizes}


def _parameters(name: str, classes: int, image_size: int) -> int:
    return sum(p.numel() for p in build_served_on_meta(name, classes, image_size).parameters())


def entry(name: str, raw: Raw, published: dict[str, dict[str, float]]) -> dict[str, Any] | None:
    """A model's line of the catalogue; None where its counts do not follow from the number of classes."""
    config, native = get_pretrained_cfg(name).to_dict(), native_size(name)
    few, many = raw["few"][str(native)], raw["many"]
    if isinstance(few, str) or isinstance(many, str):
        if any(isinstance(count, list) for count in raw["few"].values()):
            return None
        few, many = ([parameters, 0, 0, 0] for parameters in raw["parameters"])
    shares = [divmod(b - a, MANY - FEW) for a, b in zip(few[:3], many[:3], strict=True)]
    if any(rest for _, rest in shares) or [few[0], many[0]] != raw["parameters"]:
        return None
    each = [share for share, _ in shares]
    found: dict[str, Any] = {"family": family(name), "native": native}
    if config.get("min_input_size"):
        found["minimum"] = config["min_input_size"][-1]
    if config.get("fixed_input_size"):
        found["fixed"] = True
    if "img_size" in build_arguments(name, native):
        found["takes_size"] = True
    found |= {"parameters": few[0] - FEW * each[0], "layers": few[3], "per_class": each}
    own = raw.get("each", {})
    found["sizes"] = {size: _packed(count, each, found, own.get(size)) for size, count in raw["few"].items()}
    return found | _weights(name, native, published.get(name, {}))


def _packed(
    count: Numbers | str, each: list[int], found: dict[str, Any], own_each: Sequence[int] | None = None
) -> Numbers | int:
    """A reason's number; MACs and activations without classes; all four numbers where the others are not the model's.

    Where a class adds other MACs and activations at this size than at the native one, those two follow.
    """
    if isinstance(count, str):
        return next((n for n, reason in enumerate(REASONS) if count.startswith(reason)), 0)
    shares = [each[0], *own_each] if own_each else each
    parameters, macs, activations = (value - FEW * share for value, share in zip(count[:3], shares, strict=True))
    if own_each and shares != each:
        return [parameters, macs, activations, count[3], *own_each]
    own = (parameters, count[3]) == (found["parameters"], found["layers"])
    return [macs, activations] if own else [parameters, macs, activations, count[3]]


def _weights(name: str, native: int, published: dict[str, float]) -> dict[str, Any]:
    """Tags of weights that can be fetched, timm's default first, with licence, other image sizes and accuracies."""
    configs = {split_model_name_tag(full)[1]: config for full, config in get_arch_pretrained_cfgs(name).items()}
    default = get_pretrained_cfg(name).tag
    tags = sorted((tag for tag, config in configs.items() if config.has_weights), key=lambda tag: tag != default)
    parts: dict[str, Any] = {
        "weights": {tag: configs[tag].license or "" for tag in tags},
        "inputs": {tag: size for tag in tags if (size := configs[tag].input_size[-1]) != native},
        "top1": {tag: published[tag] for tag in tags if tag in published},
    }
    return {key: part for key, part in parts.items() if part}


def native_size(name: str) -> int:
    """Pixels a side that the model's default weights are for."""
    return int(get_pretrained_cfg(name).input_size[-1])


def _plain(count: Count | str | None) -> Numbers | str:
    assert count is not None  # noqa: S101
    return count if isinstance(count, str) else [count.parameters, count.macs, count.activations, count.layers]


def read_results(path: Path) -> dict[str, dict[str, float]]:
    """Best top-1 in percent by model and tag; the table has some at several image sizes."""
    found: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name, tag = split_model_name_tag(row["model"])
            known = found.setdefault(name, {})
            known[tag] = max(float(row["top1"]), known.get(tag, 0.0))
    return found


def known_results() -> dict[str, dict[str, float]]:
    """The accuracies that the present file has."""
    content = json.loads(FILE.read_text(encoding="utf-8"))["models"] if FILE.exists() else {}
    return {name: model["top1"] for name, model in content.items() if "top1" in model}


def write(models: dict[str, Any]) -> None:
    """JSON with one model a line."""
    families = sorted({model["family"] for model in models.values()})
    head = {
        "timm": timm.__version__,
        "reasons": REASONS,
        "shared": shared_hash(),
        "families": {name: family_hash(name) for name in families},
    }
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(m, separators=(',', ':'))}" for name, m in models.items())
    start = json.dumps(head, indent=0).removesuffix("\n}")
    FILE.write_text(f'{start},\n"models": {{\n{lines}\n}}\n}}\n', encoding="utf-8")


def check(number: int) -> int:
    """Compare with models that are built now, with another number of classes; 1 where any differs."""
    known = Catalogue()
    names = known.names()
    if number:
        names = random.Random(0).sample(names, min(number, len(names)))  # noqa: S311 - a sample
    wrong = 0
    for done, name in enumerate(names, start=1):
        found = known.get(name)
        for size, fresh in (_counts(name, OTHER, sorted(found.sizes)) if found else {}).items():
            stored = found.count(OTHER, size) if found else None
            alike = fresh == stored if isinstance(fresh, Count) else isinstance(stored, str)
            if not alike:
                wrong += 1
                print(f"{name} at {size} px: {stored} in the catalogue, {fresh} when built", flush=True)
        if done % 50 == 0:
            print(f"{done} of {len(names)}", flush=True)
    print(f"{len(names)} models compared with timm {timm.__version__}, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
