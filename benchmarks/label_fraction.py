"""What distilling is worth with few labels: one search for each share of labels, with the same teacher and images.

Options that are not listed here go to `autokd search`, e.g. --trials 16 --epochs 10. Searches that have ended in
--output are not done again, interrupted ones go on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from made import idx_folder, pattern_folder
from timing import table

import autokd
from autokd.records import Interval, Option
from autokd.result import SearchResult

SPACE = Path(__file__).parent.parent / "examples" / "fashion_mnist.toml"
OWN = ("--output", "--label-fraction", "--resume")
ENDED = (0, 3)  # exit codes of a verdict; 3: nothing fits


def main(arguments: Sequence[str] | None = None) -> list[dict[str, object]]:
    """Search at every share, then print the table."""
    asked, options = _parse(arguments)
    if "--data" not in options:
        options += ["--data", str(_images(asked)), "--teacher-weights", asked.teacher_weights]
    runs = [_search(asked.output / f"labels-{share:g}", share, options) for share in asked.shares]
    rows = [_row(run) for run in runs]
    print(table(rows))
    return rows


def _parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--shares", nargs="+", type=float, default=[0.01, 0.1, 1.0], help="of the training labels")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--idx-dir", type=Path, help="IDX files of 28 px images; without it, and --data, patterns")
    parser.add_argument("--train-images", type=int, default=60_000, help="validation images are cut from them")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--teacher", default="resnet18")
    parser.add_argument("--teacher-weights", default="scratch")
    parser.add_argument("--space", default=str(SPACE))
    parser.add_argument("--max-cost", default="0.01", help="dollars per 1,000 requests")
    asked, options = parser.parse_known_args(arguments)
    if taken := [option for option in options if option.partition("=")[0] in OWN]:
        parser.error(f"{taken[0]} is set for every search by this script; leave it out")
    return asked, ["--teacher", asked.teacher, "--space", asked.space, "--max-cost", asked.max_cost, *options]


def _images(asked: argparse.Namespace) -> Path:
    """The image folder that all searches share, made once and whole."""
    root = asked.output / "images"
    if root.exists():
        return Path(root)
    asked.output.mkdir(parents=True, exist_ok=True)
    counts = {"train": asked.train_images, "test": asked.test_images}
    made = Path(tempfile.mkdtemp(dir=asked.output)) / "images"
    if asked.idx_dir:
        idx_folder(made, counts, 28, asked.idx_dir)
    else:
        pattern_folder(made, counts, 28)
    made.rename(root)
    shutil.rmtree(made.parent)
    return Path(root)


def _search(run: Path, share: float, options: Sequence[str]) -> SearchResult:
    """One search as a process of its own."""
    if not (run / "report.json").exists():
        command = [sys.executable, "-m", "autokd", "search", *options, "--label-fraction", f"{share:g}"]
        resume = ["--resume"] if (run / "run.json").exists() else []
        code = subprocess.run([*command, "--output", str(run), *resume], stdout=sys.stderr, check=False).returncode
        if code not in ENDED:
            raise SystemExit(f"the search with {share:g} of the labels ended with exit code {code}; see {run}")
    return autokd.load_run(run)


def _row(run: SearchResult) -> dict[str, object]:
    """Gain and advantage are of the options shown, also where none of them is good enough for the verdict."""
    report, options = run.report, run.options
    distilled, direct = (option.finalist if option else None for option in (options.distilled, options.direct))
    twin = next((f.number for f in report.finalists if distilled in f.twin_of), None)
    differences: dict[tuple[int | None, int | None], Interval] = {
        (each.distilled, each.direct): each for each in report.advantages
    }
    return {
        "labels": f"{report.task['labelled']:,} of {report.task['train']:,}",
        "verdict": f"{run.verdict} ({run.strength})",
        "teacher": _option(options.teacher),
        "direct": _option(options.direct),
        "distilled": _option(options.distilled),
        "gain, points": _points(differences.get((distilled, twin))),
        "advantage, points": _points(differences.get((distilled, direct))),
    }


def _option(option: Option | None) -> str:
    if option is None:
        return "none"
    return f"{option.student} {option.accuracy.mean:.2%} ({option.accuracy.low:.2%} to {option.accuracy.high:.2%})"


def _points(difference: Interval | None) -> str:
    if difference is None:
        return "none"
    mean, low, high = (100 * value for value in (difference.mean, difference.low, difference.high))
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    main()
