"""search(), read aloud: prepare, candidates, soft labels, screen, search, confirm, decide, report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from autokd.config import SearchConfig
from autokd.errors import AutokdError, InterruptedRun, RunError
from autokd.machine import Stopwatch
from autokd.naming import named
from autokd.pipeline import confirmation, more_seeds, stages
from autokd.pipeline.cost_drift import read_cost_again
from autokd.pipeline.screening import screen
from autokd.pipeline.search_summary import train_nothing
from autokd.pipeline.services import Parts
from autokd.pipeline.stages import State, Stop
from autokd.pipeline.student_forms import read_student_forms
from autokd.pipeline.time_limit import time_limit_of
from autokd.progress import Both, Interruptible, Listener, Silent
from autokd.result import SearchResult, load_run
from autokd.runs.folder import MANIFEST, Run, find_unfinished, new_run_path
from autokd.runs.store import TASK
from autokd.tracking.open import tracking
from autokd.tracking.protocol import Tracker


def run_search(
    config: SearchConfig,
    *,
    output: Path | None = None,
    resume: bool = False,
    listener: Listener | None = None,
    stop: Stop = lambda: False,
    parts: Parts | None = None,
    command: str | None = None,
) -> SearchResult:
    """Run a search, or go on with an interrupted one, to its verdict.

    `stop` is asked at every point where stopping loses nothing. Raises UsageError for what the user can mend before
    anything is written, InterruptedRun where `stop` said so, and AutokdError for what fails later.
    """
    parts = parts or Parts()
    watch = Stopwatch(parts.clock)
    parts.check(config)
    run = _open(config, parts, output, resume, command)
    with run.lock():
        log = RunLog(run)
        heard = Interruptible(Both(log, listener or Silent()), stop)
        heard.note(f"Run folder: {run.path}")
        try:
            run.begin()
            with _tracked(run, config, heard) as tracker:
                _search(run, config, parts, heard, stop, watch, tracker)
        except (InterruptedRun, KeyboardInterrupt):
            run.end("interrupted")
            raise
        except BaseException as error:
            with suppress(AutokdError):  # the disk may be what failed
                log.note(f"failed: {type(error).__name__}: {error}")
            with suppress(AutokdError):
                _give_up(run, error)
            raise
        run.end("done")
    return load_run(run.path)


def confirm_run(
    path: Path,
    seeds: int | None = None,
    *,
    all_finalists: bool = False,
    placement: Mapping[str, Any] | None = None,
    listener: Listener | None = None,
    stop: Stop = lambda: False,
    parts: Parts | None = None,
) -> SearchResult:
    """Train the contenders of a finished run, or all its finalists, from more seeds, and decide again.

    seeds: how many each has then; None: as many as are enough to settle the verdict. placement: settings that say where
    trainings are placed, by their names in SearchConfig. What an interrupted call has left is taken up. Raises
    UsageError for what the user can mend, InterruptedRun where `stop` said so.
    """
    run = Run.open(path)
    config = run.settings.changed({**(placement or {}), "time_limit": None})
    with run.lock():
        seeds = more_seeds.check(run, seeds, all_finalists)
        heard = Interruptible(Both(RunLog(run), listener or Silent()), stop)
        heard.note(f"Run folder: {run.path}")
        try:
            with _tracked(run, config, heard) as tracker:
                _confirm_again(run, config, parts or Parts(), heard, stop, seeds, all_finalists, tracker)
        except InterruptedRun:
            raise InterruptedRun("stopped; what was finished is saved, and the same command goes on") from None
    return load_run(run.path)


def _tracked(run: Run, config: SearchConfig, listener: Listener) -> AbstractContextManager[Tracker]:
    settings = config.model_dump(mode="json", exclude={"cache_dir"})
    return tracking(config.tracker, run.path, run.manifest.started, settings, listener.note)


def _confirm_again(
    run: Run,
    config: SearchConfig,
    parts: Parts,
    listener: Listener,
    stop: Stop,
    seeds: int,
    all_finalists: bool,
    tracker: Tracker,
) -> None:
    listener.stage("Task and teacher")
    prepared = stages.prepare(run, config, parts, listener)
    config = config.sized(prepared.task.train)
    cost_model, candidates = stages.candidates_of(run, config, parts, prepared, listener)
    config = parts.placed(config, prepared, candidates, listener)
    state = State(run, config, parts, prepared, cost_model, candidates, listener, stop, tracker=tracker)
    listener.stage("Soft labels")
    _, factory = stages.soft_labels(state)
    listener.stage("Confirmation")
    more_seeds.add_seeds(state, factory, seeds, all_finalists)
    read_student_forms(state)
    listener.stage("Verdict")
    stages.conclude(state)


def _search(
    run: Run,
    config: SearchConfig,
    parts: Parts,
    listener: Listener,
    stop: Stop,
    watch: Stopwatch,
    tracker: Tracker,
) -> None:
    listener.stage("Task and teacher")
    prepared = stages.prepare(run, config, parts, listener)
    config = config.sized(prepared.task.train)
    run.write_config(config)
    listener.stage("Cost and candidates")
    cost_model, candidates = stages.candidates_of(run, config, parts, prepared, listener)
    config = parts.placed(config, prepared, candidates, listener)
    state = State(run, config, parts, prepared, cost_model, candidates, listener, stop, tracker=tracker)
    if candidates:
        listener.stage("Soft labels")
        labels, factory = stages.soft_labels(state)
        state = replace(state, time=time_limit_of(state, watch))
        listener.stage("Screening")
        screening, notes = screen(state, factory)
        listener.stage("Search")
        trials = stages.search_trials(state, factory, screening, notes)
        listener.stage("Confirmation")
        confirmation.confirm(state, factory, trials, labels.total_seconds)
        read_cost_again(state)
        read_student_forms(state)
    else:
        train_nothing(state)
    listener.stage("Verdict")
    stages.conclude(state)


def _open(config: SearchConfig, parts: Parts, output: Path | None, resume: bool, command: str | None) -> Run:
    if not resume:
        path = output or new_run_path(config.teacher)
        parts.refuse_among_images(config, {"output": path, "cache_dir": config.cache_dir})
        return Run.create(path, config, command)
    run = Run.open(output or find_unfinished(config))
    if differing := config.differs_from(run.settings):
        settings = ", ".join(map(named, differing))
        raise RunError(
            f"{run.path} was started with another {settings}; resume it with its own settings, "
            f"or choose another {named('output')}"
        )
    return run


def _give_up(run: Run, error: BaseException) -> None:
    """A run that failed before it had anything worth keeping leaves nothing behind."""
    if isinstance(error, AutokdError) and not TASK.exists(run.path):
        for path in (MANIFEST.path(run.path), run.config_path, run.log_path, run.lock_path):
            path.unlink(missing_ok=True)
        if not any(run.path.iterdir()):
            run.path.rmdir()
        return
    run.end("failed")


class RunLog(Silent):
    """A listener that writes autokd.log."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def stage(self, title: str) -> None:
        """One line a stage."""
        self._run.log(f"== {title}")

    def note(self, text: str) -> None:
        """One line a note."""
        self._run.log(text)
