"""search.json: what the search did and spent, and what a reader should know of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autokd.data.copies import copy_remarks
from autokd.data.hidden_labels import label_remarks
from autokd.pipeline.read_in_time import NO_TIME
from autokd.records import ARMS, Arm, Candidate, Note, NoteKind, SearchSummary, TrialRecord
from autokd.runs.folder import Run
from autokd.runs.store import CANDIDATES, SCREENING, SEARCH, TEACHER
from autokd.weights.assign import start_remark

if TYPE_CHECKING:
    from autokd.pipeline.stages import State
    from autokd.pipeline.time_limit import TimeLimit


def write_summary(run: Run, summary: SearchSummary) -> None:
    """Leave search.json."""
    SEARCH.write(run.path, summary)
    run.keep_checksums(SEARCH.path(run.path))


def best_of_arms(trials: Sequence[TrialRecord]) -> dict[Arm, float]:
    """Best validation accuracy of each arm's complete trials."""
    best: dict[Arm, float] = {}
    for trial in trials:
        if trial.state == "complete" and trial.val_accuracy is not None:
            best[trial.arm] = max(trial.val_accuracy, best.get(trial.arm, 0.0))
    return best


def arm_notes(
    trials: Sequence[TrialRecord],
    planned: Mapping[Arm, int],
    candidates: Sequence[Candidate],
    ended_by: str | None,
    time: TimeLimit | None,
) -> list[Note]:
    """Trouble of the arms that bears on the evidence; what a time limit left out is told of both together."""
    entering = {arm: sum(1 for candidate in candidates if arm in candidate.arms) for arm in ARMS}
    total, over = sum(planned.values()), sum(1 for trial in trials if trial.state != "running")
    notes = []
    if time and ended_by == time.words and over < total:
        notes.append(Note(kind="arm_cut_short", text=time.left_out([f"{total - over} of {total} trials"])))
        ended_by = None
    return [*notes, *(note for arm in ARMS if (note := _arm_note(arm, trials, planned[arm], entering[arm], ended_by)))]


def _arm_note(
    arm: Arm, trials: Sequence[TrialRecord], planned: int, entering: int, ended_by: str | None
) -> Note | None:

    def note(kind: NoteKind, text: str) -> Note:
        return Note(kind=kind, text=text)

    own = [trial for trial in trials if trial.arm == arm]
    failed = [trial for trial in own if trial.state == "failed"]
    if planned == 0 and entering:
        told = f"The {arm} arm is empty: none of the {entering} students that may enter it is on the short list."
        return note("arm_empty", told)
    if planned == 0:
        return note("arm_empty", f"The {arm} arm is empty: no student within budget may enter it.")
    if ended_by and len(own) < planned:
        return note("arm_cut_short", f"The {arm} arm had {len(own)} of {planned} trials when {ended_by} was reached.")
    if failed:
        told = f"{len(failed)} of {len(own)} trials of the {arm} arm failed ({failed[0].error})."
        return note("trials_failed", told)
    return None


def train_nothing(state: State) -> None:
    """An empty search, for a verdict without candidates."""
    text = "No student fits both the compression range and the budget, so nothing was trained."
    write_summary(state.run, summarise(state, [], [Note(kind="nothing_to_train", text=text)], {}))


def summarise(
    state: State,
    trials: Sequence[TrialRecord],
    notes: Sequence[Note],
    importance: dict[str, dict[str, float]],
    remarks: Sequence[Note] = (),
) -> SearchSummary:
    """What the search did and spent; `remarks` are added to those on data, start weights and soft labels."""
    manifest, screening = state.run.manifest, SCREENING.read_if_there(state.run.path)
    states = [trial.state for trial in trials]
    return SearchSummary(
        trials=len(states),
        complete=states.count("complete"),
        pruned=states.count("pruned"),
        failed=states.count("failed"),
        device_seconds=manifest.device_seconds,
        usd=state.spent,
        stages={**manifest.stages},
        candidates=len(state.candidates),
        looked_at=screening.looked_at if screening else 0,
        short_list=screening.short_list if screening else (),
        importance=importance,
        notes=tuple(dict.fromkeys([*_teacher_notes(state), *_cost_notes(state), *notes])),
        remarks=tuple(dict.fromkeys([*_remarks(state), *remarks])),
    )


def _teacher_notes(state: State) -> Iterator[Note]:
    teacher = TEACHER.read(state.run.path)
    if teacher.epochs is not None and teacher.epochs_left_out:
        had, wanted = teacher.epochs, teacher.epochs + teacher.epochs_left_out
        text = f"The time limit left the teacher {had} of {wanted} epochs. Needed: a search with more time."
        yield Note(kind="teacher_cut_short", text=text)


def _cost_notes(state: State) -> Iterator[Note]:
    listed = CANDIDATES.read(state.run.path)
    lacking = sum(1 for each in listed.left_out if each.reason == NO_TIME)
    if lacking:
        students = f"{lacking} of {lacking + len(listed.candidates)} students"
        text = f"The time limit left no time to measure the cost of {students}. Needed: a search with more time."
        yield Note(kind="costs_cut_short", text=text)


def _remarks(state: State) -> Iterator[Note]:
    """What a reader should know of the data, the start weights and the soft labels."""
    labels = state.run.manifest.soft_label_set
    yield from (Note(kind="soft_labels", text=text) for text in (labels.remarks if labels else ()))
    if state.candidates:
        yield Note(kind="start_weights", text=start_remark(state.candidates, state.config.student_weights))
    yield from (Note(kind="labels", text=text) for text in label_remarks(state.prepared.task))
    yield from (Note(kind="copies", text=text) for text in copy_remarks(state.prepared.task))
