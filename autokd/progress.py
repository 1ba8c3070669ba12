"""The events that a run reports to its listeners: the terminal, the log file, or by default none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from autokd.errors import InterruptedRun
from autokd.naming import set_to
from autokd.records import Arm


@dataclass
class Tally:
    """The state of the trainings while they go on."""

    stage: str  # "screening", "search" or "confirmation"
    done: int = 0
    total: int = 0
    running: int = 0
    pruned: int = 0
    failed: int = 0
    best: dict[Arm, float] = field(default_factory=dict)  # best validation accuracy so far
    seconds_left: float | None = None  # None until an epoch has been timed
    usd: float = 0.0


class Listener(Protocol):
    """Receives what happens, in order, from one thread."""

    def stage(self, title: str) -> None:
        """A new stage of the run begins."""

    def note(self, text: str) -> None:
        """One sentence that the user should read."""

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """Progress inside a stage, `what` in a few words."""

    def tally(self, tally: Tally) -> None:
        """The state of the trainings has changed."""


class Silent:
    """A listener that ignores everything."""

    def stage(self, title: str) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """Ignore."""

    def tally(self, tally: Tally) -> None:
        """Ignore."""


class Both:
    """Passes everything on to several listeners."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def stage(self, title: str) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.stage(title)

    def note(self, text: str) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.note(text)

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.advance(what, done, total, seconds_left)

    def tally(self, tally: Tally) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.tally(tally)


class Interruptible:
    """Passes everything on. After a request to stop, `advance` ends the stage; its work so far is on disk."""

    def __init__(self, listener: Listener, stop: Callable[[], bool]) -> None:
        self._listener, self._stop = listener, stop
        self.stage, self.note, self.tally = listener.stage, listener.note, listener.tally

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """Pass on; raises InterruptedRun."""
        self._listener.advance(what, done, total, seconds_left)
        if self._stop():
            raise InterruptedRun(
                f"stopped while {what}; finished work is saved, continue with {set_to('resume', True)}"
            )
