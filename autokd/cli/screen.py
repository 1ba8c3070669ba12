"""Progress on stderr: a live line on a terminal, now and then a plain line elsewhere; and Ctrl-C."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from autokd.formatting import duration
from autokd.progress import Tally

if TYPE_CHECKING:
    pass


PLAIN_SECONDS = 10.0  # between two lines of progress where there is no terminal


class Screen:
    """A listener that draws: a live line on a terminal, now and then a plain line elsewhere."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live = self._console.is_terminal
        if console is None and not self._live:
            self._console = Console(stderr=True, highlight=False, soft_wrap=True)  # one line a sentence in a log
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=12),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
        )
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
        self._show(what, done, total, seconds_left, urgent=False)

    def tally(self, tally: Tally) -> None:
        """The live line, and a plain one for every training that ended."""
        best = ", ".join(f"best {arm} {value:.1%}" for arm, value in sorted(tally.best.items()))
        extras = [
            best,
            f"{tally.pruned} pruned" if tally.pruned else "",
            f"{tally.failed} failed" if tally.failed else "",
        ]
        what = "; ".join([tally.stage, *(extra for extra in extras if extra), f"${tally.usd:.4f} spent"])
        self._show(what, tally.done, tally.total, tally.seconds_left, urgent=tally.done != self._last_done)
        self._last_done = tally.done

    def _show(self, what: str, done: int, total: int, seconds_left: float | None, urgent: bool) -> None:
        left = "" if seconds_left is None else f"about {duration(seconds_left)} left"
        if self._live:
            line = f"{done}/{total}{', ' + left if left else ''}: {what}"  # a narrow terminal cuts the end
            if self._task is None:
                self._task = self._bar.add_task(line, total=total)
            self._bar.update(self._task, description=line, completed=done, total=total)
        elif urgent or time.monotonic() - self._last_line > PLAIN_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(Text(f"  {what}: {done}/{total}{', ' + left if left else ''}"))

    def _clear(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task, self._last_done = None, -1


@contextmanager
def polite_interrupt(screen: Screen) -> Iterator[Callable[[], bool]]:
    """Ctrl-C once asks to stop after the epoch; twice stops at once."""
    asked: list[bool] = []

    def ask(_signal: int, _frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)
        screen.note("Stopping after this epoch; Ctrl-C again stops at once.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
