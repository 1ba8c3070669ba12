"""In how many parts a student's batches are trained, where a whole one does not fit into memory.

Batch normalisation sees one part at a time, so every training of that student, in either arm, is done alike.
"""

from __future__ import annotations

import json
from pathlib import Path

from autokd.files import read_json, write_text
from autokd.runs.folder import Run


class BatchParts:
    """Kept in the run folder, so that a resume knows; absent as long as every batch fits."""

    def __init__(self, run: Run) -> None:
        self._path: Path = run.path / "batch_parts.json"
        self._parts: dict[str, int] = read_json(self._path) if self._path.exists() else {}

    def of(self, student: str) -> int:
        """Parts of this student's batches; 1 where nothing else is known."""
        return self._parts.get(student, 1)

    def learn(self, student: str, parts: int) -> bool:
        """Remember what a training had to do; True where that is news."""
        if parts <= self.of(student):
            return False
        self._parts[student] = parts
        write_text(self._path, json.dumps(self._parts, indent=1) + "\n")
        return True
