"""Start-up time and memory against the number of images: both are to stay small where images are many.

A start-up is everything from the folder's name to the first training batch: `prepare_task`, `open_task` and one batch.
The first one decodes every image, the second finds them known. Each runs in a fresh process, so that its peak memory
(ru_maxrss) is its own; the imports are part of it, but not of the time. Ratios are to the smallest count.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

BATCH = 64
CLASSES = 20
DISTINCT = 300  # files; the others are hard links to them, which cost a data set as much as files do
WAYS = {"resident": 4.0, "streaming": 1e-9}  # value of --resident-gb
FIGURES = ("first_s", "again_s", "peak_mb")


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Measure every count in both ways and print the table; returns its rows."""
    options = _options(arguments)
    if options.case:
        print(json.dumps(start_up(Path(options.case[0]), Path(options.case[1]), float(options.case[2]))))
        return []
    rows = []
    with tempfile.TemporaryDirectory(prefix="autokd-bench-") as place:
        for count in sorted(int(text) for text in options.counts.split(",")):
            folder = make_images(Path(place), count, options.size)
            for way, limit in WAYS.items():
                rows.append(measure(folder, Path(place, f"cache-{count}-{way}"), count, way, limit))
    shown = [_row(row, next(first for first in rows if first["way"] == row["way"])) for row in rows]
    from timing import about, table  # only now: a process starts with the peak memory of whoever started it

    print(about("cpu"), table(shown), sep="\n\n")
    return shown


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,10000,100000", help="numbers of images (default: %(default)s)")
    parser.add_argument("--size", type=int, default=32, help="pixels a side of every image (default: %(default)s)")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def make_images(place: Path, count: int, size: int) -> Path:
    """An image folder of `count` files in CLASSES classes."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    sources = [place / "sources" / f"{number}.png" for number in range(DISTINCT)]
    if not sources[0].exists():
        sources[0].parent.mkdir()
        for source in sources:
            Image.fromarray(generator.integers(0, 256, (size, size, 3), dtype=np.uint8)).save(source)
    folder = place / f"images-{count}"
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
    for number in range(count):
        os.link(sources[number % DISTINCT], folder / f"class {number % CLASSES}" / f"{number:07}.png")
    return folder


def measure(folder: Path, cache: Path, count: int, way: str, limit: float) -> dict[str, object]:
    """The first and the second start-up, each by a process of its own."""
    command = [sys.executable, __file__, "--case", str(folder), str(cache), str(limit)]
    first, again = (json.loads(subprocess.check_output(command)) for _ in range(2))
    return {
        "images": count,
        "way": way,
        "first_s": first["seconds"],
        "again_s": again["seconds"],
        "peak_mb": max(first["peak_mb"], again["peak_mb"]),
        "imports_mb": max(first["imports_mb"], again["imports_mb"]),
        "worker_mb": max(first["worker_mb"], again["worker_mb"]),
    }


def start_up(folder: Path, cache: Path, limit: float) -> dict[str, float]:
    """One start-up in this process: its seconds, and peak memory of it and of its largest decoding process, in MB."""
    from autokd.config import SearchConfig
    from autokd.data.task import open_task, prepare_task
    from autokd.progress import Silent

    config = SearchConfig.of(teacher="resnet18", max_cost=1.0, data=str(folder), cache_dir=cache, resident_gb=limit)
    imports = _peak_mb(resource.RUSAGE_SELF)
    start = time.perf_counter()
    data = open_task(prepare_task(config, 224, Silent()))
    next(data.images.batches([data.train[:BATCH]]))
    seconds = time.perf_counter() - start
    del data
    gc.collect()  # a process is counted among the children once it has ended
    peak, worker = _peak_mb(resource.RUSAGE_SELF), _peak_mb(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "peak_mb": peak, "imports_mb": imports, "worker_mb": worker}


def _peak_mb(whose: int) -> float:
    return resource.getrusage(whose).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _row(row: dict[str, object], smallest: dict[str, object]) -> dict[str, object]:
    """A row as it is printed: ratios to the smallest count, and the figures themselves beside them."""
    ratios = {name: float(str(row[name])) / float(str(smallest[name])) for name in FIGURES}
    return {
        "images": f"{row['images']:,}",
        "way": row["way"],
        "images, times": float(str(row["images"])) / float(str(smallest["images"])),
        "first start, times": ratios["first_s"],
        "second start, times": ratios["again_s"],
        "peak memory, times": ratios["peak_mb"],
        "first start, s": row["first_s"],
        "second start, s": row["again_s"],
        "peak memory, MB": row["peak_mb"],
        "of that imports, MB": row["imports_mb"],
        "largest decoding process, MB": row["worker_mb"],
    }


if __name__ == "__main__":
    main()
