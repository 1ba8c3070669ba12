"""Read a finished run: the verdict, the tables as pandas frames, and the recommended student as a model.

python examples/03_read_a_run.py reports/RUN
python examples/03_read_a_run.py            # the newest finished run in reports/
"""

from __future__ import annotations

import sys
from pathlib import Path

import autokd
from autokd.errors import RunError


def newest_run(root: Path = Path("reports")) -> Path:
    """The run below `root` whose report was written last."""
    reports = sorted(root.glob("*/report.json"), key=lambda path: path.stat().st_mtime)
    if not reports:
        sys.exit(f"no finished run in {root}/; name one, or start with 01_search_digits.py")
    return reports[-1].parent


def main() -> None:
    """Print what a reader of the run asks first."""
    import pandas as pd

    run = autokd.load_run(Path(sys.argv[1]) if len(sys.argv) > 1 else newest_run())
    print(f"{run.verdict} ({run.strength}): {run.summary}\n")

    if not run.trials.empty:
        columns = ["number", "arm", "student", "state", "epochs", "val_accuracy", "cost_usd_per_1k"]
        print(run.trials.sort_values("val_accuracy", ascending=False)[columns].head(10).to_string(index=False), "\n")

    if (run.path / "finalists.csv").exists():
        seeds = pd.read_csv(run.path / "finalists.csv")
        if not seeds.empty:
            grouped = seeds.groupby(["number", "arm", "role", "student"])["test_accuracy"]
            print(grouped.agg(["mean", "min", "max", "count"]).round(4).to_string(), "\n")

    try:
        student = run.student()
    except RunError as error:
        print(error)
        return
    parameters = sum(parameter.numel() for parameter in student.parameters())
    print(f"student: {type(student).__name__}, {parameters:,} parameters")


if __name__ == "__main__":
    main()
