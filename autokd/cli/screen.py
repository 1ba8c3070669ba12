"""Progress on stderr, a live line on a terminal and plain lines elsewhere; and the handling of Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID
from rich.text import Text

from autokd.formatting import duration
from autokd.progress import Tally

PLAIN_SECONDS = 10.0  # between two lines of progress without a terminal
BAR = 12
WIDE = 100  # columns of a terminal from which there is room for a bar


class Rank(IntEnum):
    """The importance of a segment; from a line that is too long the highest rank is dropped first."""

    COUNT = 0
    LEFT = 1
    WHAT = 2
    BEST = 3
    FAILED = 4
    SPENT = 5
    PRUNED = 6


@dataclass(frozen=True)
class Segment:
    """A part of the live line that is shown whole or not at all; `before` joins it to what stands before it."""

    rank: Rank
    text: str
    before: str = "; "


def fitted(segments: Sequence[Segment], width: int) -> str:
    """The segments in their order; the least important ones are dropped until the line fits."""
    kept = list(segments)
    while len(kept) > 1 and cell_len(_joined(kept)) > width:
        rank = max(segment.rank for segment in kept)
        del kept[max(place for place, segment in enumerate(kept) if segment.rank == rank)]
    return _joined(kept)


def _joined(segments: Sequence[Segment]) -> str:
    return "".join(f"{segment.before if place else ''}{segment.text}" for place, segment in enumerate(segments))


class Screen:
    """A listener that shows a live line on a terminal, and a plain line from time to time elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live = self._console.is_terminal
        if console is None and not self._live:
            self._console = Console(stderr=True, highlight=False, soft_wrap=True)  # one line a sentence in a log
        columns = (SpinnerColumn(), _Bar(self._console), _Line(self._console))
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task: TaskID | None = None
        self._last_line = 0.0
        self._last_done = -1

    def __enter__(self) -> Self:
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bar.stop()

    def stage(self, title: str) -> None:
        """A heading."""
        self._clear()
        self._console.print(Text(title, style="bold"))

    def note(self, text: str) -> None:
        """A sentence, indented below its stage."""
        self._console.print(Text(f"  {text}"))

    def advance(self, what: str, done: int, total: int, seconds_left: float | None) -> None:
        """The live line, or a plain one from time to time."""
        self._show([Segment(Rank.WHAT, what)], done, total, seconds_left, urgent=False)

    def tally(self, tally: Tally) -> None:
        """The live line, and a plain one for every training that ended."""
        segments = [Segment(Rank.WHAT, tally.stage)]
        segments += [Segment(Rank.BEST, f"best {arm} {value:.1%}") for arm, value in sorted(tally.best.items())]
        if tally.pruned:
            segments.append(Segment(Rank.PRUNED, f"{tally.pruned} pruned"))
        if tally.failed:
            segments.append(Segment(Rank.FAILED, f"{tally.failed} failed"))
        segments.append(Segment(Rank.SPENT, f"${tally.usd:.4f} spent"))
        self._show(segments, tally.done, tally.total, tally.seconds_left, urgent=tally.done != self._last_done)
        self._last_done = tally.done

    def _show(
        self, segments: Sequence[Segment], done: int, total: int, seconds_left: float | None, urgent: bool
    ) -> None:
        state = [Segment(Rank.COUNT, f"{done}/{total}", before=": ")]
        if seconds_left is not None:
            state.append(Segment(Rank.LEFT, f"about {duration(seconds_left)} left", before=", "))
        if self._live:
            first, *others = segments
            line = [*state, Segment(first.rank, first.text, before=": "), *others]
            if self._task is None:
                self._task = self._bar.add_task("", total=total, line=line)
            self._bar.update(self._task, completed=done, total=total, line=line)
        elif urgent or time.monotonic() - self._last_line > PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(Text(f"  {_joined([*segments, *state])}"))

    def _clear(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task, self._last_done = None, -1


class _Bar(BarColumn):
    """A bar, if the terminal is wide enough."""

    def __init__(self, console: Console) -> None:
        super().__init__(bar_width=BAR)
        self._console = console

    def render(self, task: Task) -> Any:
        """See BarColumn."""
        return super().render(task) if self._console.width >= WIDE else Text()


class _Line(ProgressColumn):
    """The segments that fit behind spinner and bar, each followed by a space."""

    max_refresh = None

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def render(self, task: Task) -> Text:
        """See ProgressColumn; a terminal that has become narrower shows less."""
        used = 2 + (BAR if self._console.width >= WIDE else 0) + 1
        return Text(fitted(task.fields["line"], self._console.width - used), no_wrap=True, overflow="ellipsis")


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def polite_interrupt(screen: Screen) -> Iterator[Callable[[], bool]]:
    """Ctrl-C once asks to stop after the epoch; twice stops at once. SIGTERM is a Ctrl-C.

    So is the end of the terminal (SIGHUP), which is told several times and so counts once; what would be shown
    there is shown nowhere from then on. A signal that was ignored before (nohup) stays ignored.
    """
    asked: list[bool] = []
    terminals = [each for each in (1, 2) if os.isatty(each)]

    process = os.getpid()

    def ask(number: int, _frame: Any) -> None:
        if os.getpid() != process:  # a child that was forked meanwhile: this one ends it
            return
        if number == signal.SIGHUP:
            _silence(terminals)
        elif asked:
            raise KeyboardInterrupt
        if not asked:
            asked.append(True)
            screen.note("Stopping after this epoch; Ctrl-C again stops at once.")

    before = {each: signal.getsignal(each) for each in STOPPING}
    taken = [each for each in STOPPING if before[each] is not signal.SIG_IGN or each == signal.SIGINT]
    for each in taken:
        signal.signal(each, ask)
    try:
        yield lambda: bool(asked)
    finally:
        for each in taken:
            signal.signal(each, before[each])


def _silence(descriptors: Sequence[int]) -> None:
    """Let what is written to a terminal that is gone go nowhere, instead of fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
