"""Make the sample runs in reports/samples/ again: real searches, so it takes as long as they do.

python scripts/make_samples.py [NAME ...]

A sample is named after its verdict; a search that ends in another one is not kept. It is the run folder without
weights and without the study, so that `autokd decide`, `report` and `compare` work on it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import autokd

SAMPLES = Path(__file__).parents[1] / "reports" / "samples"
FIRST_COMMAND = ("--teacher", "resnet152", "--max-cost", "0.01")  # of the README
SEARCHES = {
    "use_small_model": FIRST_COMMAND,
    "distill": (*FIRST_COMMAND, "--label-fraction", "0.05"),
}
HEAVY = shutil.ignore_patterns("*.safetensors", "*.pt", "student", "study.db", ".*")


def main(arguments: Sequence[str] | None = None) -> None:
    """Search in a folder of its own, so that no path of this machine gets into a sample."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(SEARCHES)}; all by default")
    names = parser.parse_args(arguments).names or list(SEARCHES)
    if unknown := [name for name in names if name not in SEARCHES]:
        parser.error(f"there is no sample {unknown[0]}; choose from {', '.join(SEARCHES)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            command = ["autokd", "search", *SEARCHES[name], "--output", name, "--cache-dir", "cache"]
            subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True)
            keep(Path(folder) / name, SAMPLES / name)


def keep(run: Path, sample: Path) -> None:
    """Put the light part of a finished run in the place of a sample; SystemExit if its verdict is another one."""
    verdict = autokd.load_run(run).verdict
    if verdict != sample.name:
        raise SystemExit(f"the search ended in {verdict}; reports/samples/{sample.name} stays as it is")
    shutil.rmtree(sample, ignore_errors=True)
    shutil.copytree(run, sample, ignore=HEAVY)


if __name__ == "__main__":
    main()
