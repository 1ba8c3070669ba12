"""history.csv: a row an epoch, written anew after each, so that a kill leaves the old file or the new one."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from autokd.records import EpochReport
from autokd.run import write_text


def write_history(folder: Path, history: Sequence[EpochReport]) -> None:
    """Write the epochs so far."""
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(EpochReport.model_fields)
    rows.writerows(report.model_dump().values() for report in history)
    write_text(folder / "history.csv", buffer.getvalue())
