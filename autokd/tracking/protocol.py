"""The protocol of a tracker, and the one that tracks nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

End = Literal["finished", "stopped", "failed"]


class Tracker(Protocol):
    """Is told of a run from one thread. A resumed run tells again what it does again.

    `training` is the folder of a training in the run (`trials/3`); None: the run itself.
    """

    def settings(self, training: str | None, values: Mapping[str, object]) -> None:
        """What it was started with."""

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers, of the epoch `step` where they belong to one."""

    def text(self, name: str, text: str) -> None:
        """Something that is said of the run."""

    def files(self, paths: Sequence[Path]) -> None:
        """Files and folders of the run that are its result."""

    def end(self, training: str | None, how: End) -> None:
        """Nothing more comes of it in this session."""


class NoTracker:
    """Tracks nothing."""

    def settings(self, training: str | None, values: Mapping[str, object]) -> None:
        """Ignore."""

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        """Ignore."""

    def text(self, name: str, text: str) -> None:
        """Ignore."""

    def files(self, paths: Sequence[Path]) -> None:
        """Ignore."""

    def end(self, training: str | None, how: End) -> None:
        """Ignore."""
