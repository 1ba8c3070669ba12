"""Looks at the test images: each after the first, with more seeds, has wider intervals (repeated_looks.py)."""

from __future__ import annotations

from collections.abc import Sequence

from autokd.decide.statistics.repeated_looks import level_of_look
from autokd.records import FinalistRecord, Note
from autokd.runs.folder import Run
from autokd.runs.store import REPORT


def book_look(run: Run, before: Sequence[FinalistRecord], now: Sequence[FinalistRecord]) -> None:
    """Count another look where finalists that a verdict is known of have more seeds now, a filled gap included.

    To be called before finalists.json is written, because reading that is looking.
    """
    had = {record.proposal: len(record.seeds) for record in before}
    have = {record.proposal: len(record.seeds) for record in now}
    more = any(count > had.get(finalist, 0) for finalist, count in have.items())
    if not (REPORT.exists(run.path) and more and had.keys() & have.keys()):
        return
    earlier, seeds = max(had.values()), max(have.values())
    looks = run.manifest.looks or (earlier,)
    if earlier < seeds == looks[-1]:
        return  # counted by a process that was killed before it wrote them
    run.keep_looks([*looks, seeds])


def look_remark(run: Run) -> list[Note]:
    """What is said of another look; nothing of the first."""
    looks = run.manifest.looks
    if not looks:
        return []
    seeds, level = ", ".join(map(str, looks)), level_of_look(len(looks))
    text = (
        f"This is look {len(looks)} at these finalists (seeds: {seeds}). Its intervals are of {level * 100:.6g} %, so "
        "that looking again does not make a chance result more likely."
    )
    return [Note(kind="look", text=text)]
