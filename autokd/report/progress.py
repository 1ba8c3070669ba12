"""A run without a verdict yet: its stage, how far it is, and what stands so far, on validation images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from autokd.files import write_text
from autokd.formatting import duration, percent, usd
from autokd.naming import set_to
from autokd.records import ARMS, Proposal, Screening
from autokd.report.table import Column, Table
from autokd.report.tables_page import tables_page
from autokd.runs.folder import Run
from autokd.runs.store import (
    CANDIDATES,
    CHECKPOINT,
    COSTS,
    ERROR,
    PROPOSAL,
    REPORT,
    RESULT,
    SCREENING,
    SEARCH,
    TASK,
    TEACHER,
)
from autokd.runs.tables import read_history

State = Literal["complete", "stopped early", "failed", "in progress"]
STAGES = ("task and teacher", "cost and candidates", "soft labels", "screening", "search", "confirmation")
COLUMNS = (
    *(Column("Trial", numeric=True), Column("Arm"), Column("Student", wraps="name"), Column("State")),
    *(Column("Epochs", numeric=True), Column("Validation %", numeric=True), Column("$ per 1,000", numeric=True)),
)


@dataclass(frozen=True)
class TrialSoFar:
    """A trial as its folder shows it."""

    proposal: Proposal
    state: State
    epochs: int
    val_accuracy: float | None  # after the last of them
    cost_usd_per_1k: float | None


@dataclass(frozen=True)
class Progress:
    """What stands so far: sentences, and the trials, the best first."""

    title: str
    sentences: tuple[str, ...]
    trials: tuple[TrialSoFar, ...]

    def table(self, limit: int) -> Table:
        """The best of the trials."""
        shown = self.trials[:limit]
        name = "Trials so far" if len(shown) == len(self.trials) else f"The best {limit} of {len(self.trials)} trials"
        return Table(name, COLUMNS, tuple(map(_cells, shown)))


def is_unfinished(run: Run) -> bool:
    """Whether a run has no result yet, and is not said to be done."""
    return not REPORT.exists(run.path) and run.manifest.status != "done"


def progress_of(run: Run) -> Progress:
    """How far a run has come; raises RunError for files that are damaged. Nothing is written."""
    manifest, task, teacher = run.manifest, TASK.read_if_there(run.path), TEACHER.read_if_there(run.path)
    trials = tuple(sorted(_trials(run), key=lambda t: (-(t.val_accuracy or 0.0), t.proposal.number)))
    status = "running" if run.is_held else "interrupted" if manifest.status == "running" else manifest.status
    stage = _stage(run)
    started = manifest.started.replace("T", " ")[:16]
    sentences = [f"Started {started}; stage {stage + 1} of {len(STAGES)}, {STAGES[stage]}. There is no verdict yet."]
    if manifest.stages:
        sentences.append(f"{duration(manifest.device_seconds)} of device time in the stages that are over.")
    if teacher:
        sentences.append(f"Teacher {teacher.name}: {percent(teacher.val_accuracy)} on validation{_cost(run)}.")
    if screening := SCREENING.read_if_there(run.path):
        sentences.append(_screened(screening))
    if trials:
        planned = manifest.settings.sized(task.train).trials if task else None
        over = sum(trial.state != "in progress" for trial in trials)
        sentences.append(f"Search: {over}{f' of {planned}' if planned else ''} trials are over.")
    sentences += _best(trials, teacher.val_accuracy if teacher else None)
    if confirmed := sum(1 for _ in run.path.glob(f"finalists/*/*/{RESULT.name}")):
        sentences.append(f"Confirmation: {confirmed} trainings of finalists are done.")
    if status != "running":
        sentences.append(f"Go on with: autokd search {set_to('resume', True)} {set_to('output', run.path)}")
    return Progress(f"{run.path.name}: {status}", tuple(sentences), trials)


def write_progress(run: Run, progress: Progress) -> None:
    """Write report.html, which the report of the finished run will replace."""
    page = tables_page(progress.title, progress.sentences, [progress.table(len(progress.trials))])
    write_text(run.path / "report.html", page)


def _stage(run: Run) -> int:
    """The index in STAGES of the first one that has not left its result."""
    screening = SCREENING.read_if_there(run.path)
    left = (
        TEACHER.exists(run.path),
        CANDIDATES.exists(run.path),
        run.manifest.soft_label_set is not None,
        screening is not None and bool(screening.short_list),
        SEARCH.exists(run.path),
    )
    return next((stage for stage, over in enumerate(left) if not over), len(left))


def _screened(screening: Screening) -> str:
    count, listed = len(screening.students), len(screening.short_list)
    if not screening.rungs:
        return f"Screening: all {count} students are on the short list."
    on_list = f", {listed} on the short list" if listed else ""
    return f"Screening: {screening.looked_at} of {count} students looked at{on_list}."


def _cost(run: Run) -> str:
    costs, settings = COSTS.read_if_there(run.path), run.settings
    reading = costs.readings.get(settings.teacher) if costs else None
    if reading is None:
        return ""
    return f", {usd(reading.cost_usd_per_1k.mean)} per 1,000 requests (budget {usd(settings.max_cost)})"


def _trials(run: Run) -> Iterator[TrialSoFar]:
    listed = CANDIDATES.read_if_there(run.path)
    costs = {c.student: c.reading.cost_usd_per_1k.mean for c in listed.candidates} if listed else {}
    for path in run.path.glob(f"trials/*/{PROPOSAL.name}"):
        folder, proposal = path.parent, PROPOSAL.read(path.parent)
        history = read_history(folder)
        if (folder / ERROR).exists():
            state: State = "failed"
        elif len(history) >= proposal.recipe.epochs:
            state = "complete"
        else:
            state = "stopped early" if history and not (folder / CHECKPOINT).exists() else "in progress"
        accuracy = history[-1].val_accuracy if history else None
        yield TrialSoFar(proposal, state, len(history), accuracy, costs.get(proposal.student))


def _best(trials: Sequence[TrialSoFar], teacher: float | None) -> Iterator[str]:
    """The most accurate complete trial of each arm; trials come best first."""
    for arm in ARMS:
        best = next((t for t in trials if t.state == "complete" and t.proposal.arm == arm), None)
        if best is None or best.val_accuracy is None:
            continue
        kept = f", {percent(best.val_accuracy / teacher)} of the teacher's" if teacher else ""
        cost = "" if best.cost_usd_per_1k is None else f", at {usd(best.cost_usd_per_1k)} per 1,000 requests"
        yield f"Best {arm} trial: {best.proposal.student}, {percent(best.val_accuracy)} on validation{kept}{cost}."


def _cells(trial: TrialSoFar) -> tuple[str, ...]:
    proposal = trial.proposal
    accuracy = "-" if trial.val_accuracy is None else percent(trial.val_accuracy).removesuffix(" %")
    cost = "-" if trial.cost_usd_per_1k is None else usd(trial.cost_usd_per_1k).removeprefix("$")
    epochs = f"{trial.epochs}/{proposal.recipe.epochs}"
    return str(proposal.number), proposal.arm, proposal.student, trial.state, epochs, accuracy, cost
