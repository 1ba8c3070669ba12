"""A tracker by its name, for as long as a run goes on. Whatever happens to it, the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from autokd.errors import ConfigError, InterruptedRun
from autokd.naming import set_to
from autokd.tracking.protocol import End, NoTracker, Tracker

TrackerName = Literal["tensorboard", "mlflow"]


def check_tracker(name: TrackerName | None) -> None:
    """Raises ConfigError where the package that it needs is not installed."""
    if name is not None and find_spec(name) is None:
        raise ConfigError(
            f"{set_to('tracker', name)} needs the package {name}, which is not installed; "
            f"install it with `pip install 'autokd[{name}]'`"
        )


@contextmanager
def tracking(
    name: TrackerName | None, run: Path, started: str, settings: Mapping[str, object], note: Callable[[str], None]
) -> Iterator[Tracker]:
    """The tracker of a run, told of its settings at first and of how it went at last; `note` hears of trouble once.

    Raises ConfigError where the tracker cannot be used from the beginning.
    """
    tracker = _Careful(_made(name, run, started), note)
    tracker.settings(None, settings)
    how: End = "failed"
    try:
        yield tracker
        how = "finished"
    except (InterruptedRun, KeyboardInterrupt):
        how = "stopped"
        raise
    finally:
        tracker.end(None, how)


def _made(name: TrackerName | None, run: Path, started: str) -> Tracker:
    if name is None:
        return NoTracker()
    check_tracker(name)
    try:
        if name == "tensorboard":
            from autokd.tracking.tensorboard import TensorBoard

            return TensorBoard(run)
        from autokd.tracking.mlflow import MLflow

        return MLflow(run.name, started)
    except Exception as error:  # whatever a library of others, or a server, answers with
        raise ConfigError(
            f"{set_to('tracker', name)} cannot be used ({_words(error)}); see to {name}, or search without a tracker"
        ) from error


class _Careful:
    """See Tracker. After the first trouble nothing more is tracked."""

    def __init__(self, tracker: Tracker, note: Callable[[str], None]) -> None:
        self._tracker, self._note = tracker, note

    def settings(self, training: str | None, values: Mapping[str, object]) -> None:
        """See Tracker."""
        self._try(lambda tracker: tracker.settings(training, values))

    def metrics(self, training: str | None, values: Mapping[str, float], step: int | None = None) -> None:
        """See Tracker."""
        self._try(lambda tracker: tracker.metrics(training, values, step))

    def text(self, name: str, text: str) -> None:
        """See Tracker."""
        self._try(lambda tracker: tracker.text(name, text))

    def files(self, paths: Sequence[Path]) -> None:
        """See Tracker."""
        self._try(lambda tracker: tracker.files(paths))

    def end(self, training: str | None, how: End) -> None:
        """See Tracker."""
        self._try(lambda tracker: tracker.end(training, how))

    def _try(self, tell: Callable[[Tracker], None]) -> None:
        try:
            tell(self._tracker)
        except Exception as error:  # noqa: BLE001 - hours of training are worth more than their curves elsewhere
            self._tracker = NoTracker()
            self._note(f"Tracking has stopped ({_words(error)}); the run goes on, and its folder holds everything.")


def _words(error: Exception) -> str:
    """The first line of what went wrong."""
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
