"""In how many parts a student's batches are trained, where a whole one does not fit into memory.

Batch normalisation sees one part at a time, so every training of that student, in either arm, is done alike.
"""

from __future__ import annotations

from autokd.runs.folder import Run
from autokd.runs.store import BATCH_PARTS


class BatchParts:
    """Kept in the run folder, so that a resume knows; absent as long as every batch fits."""

    def __init__(self, run: Run) -> None:
        self._folder = run.path
        self._parts = BATCH_PARTS.read_if_there(run.path) or {}

    def of(self, student: str) -> int:
        """Parts of this student's batches; 1 where nothing else is known."""
        return self._parts.get(student, 1)

    def learn(self, student: str, parts: int) -> bool:
        """Remember what a training had to do; True where that is news."""
        if parts <= self.of(student):
            return False
        self._parts[student] = parts
        BATCH_PARTS.write(self._folder, self._parts)
        return True
