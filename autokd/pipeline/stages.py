"""The stages of a search, one function each: what it takes from the stage before, and what it leaves in the run folder.

Whatever an interrupted run has left there is taken, not made again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.cost.price_remarks import remarks
from autokd.data.copies import copy_remarks
from autokd.data.hidden_labels import label_remarks
from autokd.decide import decide, read_evidence
from autokd.decide.audit.audit import audit
from autokd.errors import InterruptedRun, RunError
from autokd.export.model_card import Card, model_card
from autokd.formatting import usd
from autokd.naming import named, set_to
from autokd.pipeline.candidates import find_candidates
from autokd.pipeline.limits import limits_of
from autokd.pipeline.search_summary import arm_notes, best_of_arms, summarise, write_summary
from autokd.pipeline.services import Parts, Prepared
from autokd.pipeline.time_limit import TimeLimit, may_try
from autokd.progress import Listener
from autokd.records import (
    ARMS,
    Candidate,
    CostModel,
    Decision,
    Note,
    Screening,
    SeedResult,
    SoftLabelSet,
    Task,
    TrialRecord,
)
from autokd.report import assemble, write_reports
from autokd.report.sections.cost_assumptions import serving_price
from autokd.runs.arrays import EVIDENCE, TEACHER_FORMS, write_evidence, write_forms_correct
from autokd.runs.folder import Run
from autokd.runs.manifest import Stage
from autokd.runs.store import CANDIDATES, COSTS, TASK, TEACHER, WEIGHTS, CandidateList, Costs, read_finalists
from autokd.runs.tables import write_trials
from autokd.tracking.protocol import NoTracker, Tracker
from autokd.tracking.results import track_verdict
from autokd.tune.finalists import most_trainings
from autokd.weights.assign import check_weights_again, give_weights

if TYPE_CHECKING:
    from autokd.pipeline.cheaper_forms import Form
    from autokd.tune.engines.protocol import WorkshopFactory

Stop = Callable[[], bool]


@dataclass(frozen=True)
class State:
    """What the later stages share."""

    run: Run
    config: SearchConfig
    parts: Parts
    prepared: Prepared
    cost_model: CostModel
    candidates: Sequence[Candidate]
    listener: Listener
    stop: Stop
    time: TimeLimit | None = None
    tracker: Tracker = field(default_factory=NoTracker)

    def keep_seconds(self, stage: Stage, seconds: float) -> None:
        """Record the device seconds of a stage."""
        self.run.keep_seconds(stage, seconds)

    @property
    def edges(self) -> tuple[Candidate, ...]:
        """Students just beyond the ratio range, where they were asked for."""
        return CANDIDATES.read(self.run.path).edges

    @property
    def spent(self) -> float:
        """Dollars of all recorded stages."""
        return self.run.manifest.device_seconds / 3600 * self.cost_model.train_price_usd_per_hour


def prepare(run: Run, config: SearchConfig, parts: Parts, listener: Listener) -> Prepared:
    """Task and teacher; raises RunError where either has changed since the run was started."""
    known_task, known_teacher = TASK.read_if_there(run.path), TEACHER.read_if_there(run.path)
    if known_teacher and known_teacher.epochs is not None:  # as the first session planned it, whatever its time limit
        config = config.model_copy(update={"teacher_epochs": known_teacher.epochs, "time_limit": None})
    if COSTS.exists(run.path):  # what the run needs of a file of costs it has
        config = config.model_copy(update={"costs": None})
    prepared = parts.prepare(config, listener)
    task, teacher = prepared.task, prepared.teacher
    if known_task and known_task.fingerprint != task.fingerprint:
        raise RunError(
            f"the data of {run.path} have changed since it was started; start again with another {named('output')}"
        )
    if known_teacher and known_teacher.fingerprint != teacher.fingerprint:
        raise RunError(
            f"the weights of the teacher of {run.path} have changed since it was started; "
            f"start again with another {named('output')}"
        )
    listener.note(
        f"{task.data}: {len(task.classes)} classes at {task.transform.image_size} px; {_sizes(task)}. {task.split_note}"
    )
    for remark in (*label_remarks(task), *copy_remarks(task)):
        listener.note(remark)
    if task.skipped:
        listener.note(f"{len(task.skipped)} unreadable images were skipped (first: {task.skipped[0]}).")
    sees = f" at {teacher.preprocessing.words}" if teacher.preprocessing else ""
    listener.note(
        f"Teacher {teacher.name} ({teacher.weights}): {teacher.parameters / 1e6:.1f} M parameters, "
        f"{teacher.val_accuracy:.1%} on validation{sees}."
    )
    if not run.is_intact(TASK.name, TEACHER.name, EVIDENCE):
        TASK.write(run.path, task)
        TEACHER.write(run.path, known_teacher or teacher)
        write_evidence(run.path, prepared.arrays)
        run.keep_checksums(TASK.path(run.path), TEACHER.path(run.path), run.path / EVIDENCE)
    run.keep_seconds("teacher", max(teacher.seconds, run.manifest.stages.get("teacher", 0.0)))
    return prepared


def _sizes(task: Task) -> str:
    if not task.unlabelled:
        return f"{task.train:,} training, {task.val:,} validation and {task.test:,} test images"
    return f"{task.training_images}, {task.val:,} validation and {task.test:,} test images"


def candidates_of(
    run: Run, config: SearchConfig, parts: Parts, prepared: Prepared, listener: Listener
) -> tuple[CostModel, tuple[Candidate, ...]]:
    """The cost model, and the students within ratio and budget; leaves costs.json and candidates.json."""
    costs, listed = COSTS.read_if_there(run.path), CANDIDATES.read_if_there(run.path)
    if costs and listed:
        run.check_files(COSTS.name, CANDIDATES.name)
        run.keep_checksums(COSTS.path(run.path), CANDIDATES.path(run.path))
        check_weights_again(
            [*listed.candidates, *listed.edges],
            parts.supply(config),
            prepared.task,
            config.cache_dir,
            prepared.hold,
            listener,
        )
    else:
        costs, listed, forms = _found(config, parts, prepared, listener)
        if forms:
            write_forms_correct(run.path / TEACHER_FORMS, {form.form.key: form.correct for form in forms})
        COSTS.write(run.path, costs)
        CANDIDATES.write(run.path, listed)
        outcomes = [run.path / TEACHER_FORMS] if forms else []
        run.keep_checksums(COSTS.path(run.path), CANDIDATES.path(run.path), *outcomes)
    teacher_cost = usd(costs.readings[prepared.teacher.name].cost_usd_per_1k.mean)
    listener.note(f"{serving_price(costs.cost_model)} The teacher costs {teacher_cost} per 1,000 requests.")
    for remark in remarks(costs.cost_model, date.today()):
        listener.note(remark)
    count = {arm: sum(1 for c in listed.candidates if arm in c.arms) for arm in ARMS}
    listener.note(f"{count['distill']} students may be distilled, {count['direct']} trained directly.")
    return costs.cost_model, listed.candidates


def _found(
    config: SearchConfig, parts: Parts, prepared: Prepared, listener: Listener
) -> tuple[Costs, CandidateList, tuple[Form, ...]]:
    """Students of the space, measured, each with the weights that it starts from; the teacher's cheaper forms."""
    model = parts.cost_model(config, prepared.task.transform.image_size)
    found = find_candidates(prepared, config, parts, model, listener)
    known, beyond = ({student.student for student in listed} for listed in (found.candidates, found.edges))
    wanted = [*found.candidates, *(edge for edge in found.edges if edge.student not in known)]
    given, unavailable = give_weights(
        wanted, parts.supply(config), prepared.task, config.cache_dir, listener, prepared.hold
    )
    listed = CandidateList(
        candidates=tuple(student for student in given if student.student in known),
        edges=tuple(student for student in given if student.student in beyond),
        left_out=(*found.left_out, *(entry for entry in unavailable if entry.student in known)),
        prediction=found.prediction,
    )
    costs = Costs(
        cost_model=found.cost_model,
        readings=found.readings,
        teacher_forms=tuple(form.form for form in found.forms),
        # the serving host of a file may decode faster or slower
        decoding=None if config.costs else parts.decoding(prepared, found.cost_model),
    )
    return costs, listed, found.forms


def soft_labels(state: State) -> tuple[SoftLabelSet, WorkshopFactory]:
    """Soft labels for every epoch, and what trains with them."""
    manifest = state.run.manifest
    started = datetime.fromisoformat(manifest.started).timestamp()
    labels = state.parts.soft_labels(state.prepared, state.config, state.listener, started, manifest.soft_label_set)
    state.keep_seconds("soft_labels", labels.seconds)
    state.run.keep_soft_labels(labels)
    if not labels.live:
        state.listener.note(f"{labels.views} views, {labels.reused} of them kept from an earlier run.")
    return labels, state.parts.factory(state.prepared, labels, state.config, [*state.candidates, *state.edges])


def search_trials(
    state: State, factory: WorkshopFactory, screening: Screening, notes: Sequence[Note] = ()
) -> list[TrialRecord]:
    """Both arms' trials on the short list, as the ledger has them in the end; leaves trials.csv and search.json."""
    from autokd.tune.limits import Watched
    from autokd.tune.short_list import listed
    from autokd.tune.space.files import read_space
    from autokd.tune.study import Ledger, SearchPlan
    from autokd.tune.tracked import Tracked
    from autokd.tune.trials import TrialSource

    config = state.config
    assert config.trials and config.epochs and config.batch_size and config.finalists and config.seeds  # noqa: S101
    plan = SearchPlan(
        trials=config.trials,
        epochs=config.epochs,
        batch_size=config.batch_size,
        classes=len(state.prepared.task.classes),
        seed=config.seed,
        ema=config.ema,
        min_retention=config.min_retention,
        by_cost=config.prefer == "savings",
    )
    space, replaced = read_space(config.space).suited(plan.classes)
    short_list = listed(screening, state.candidates, space)
    ledger = Ledger(state.run.study_path, space, state.candidates, plan, short_list)
    source = TrialSource(ledger, state.run, plan)
    trainings = most_trainings(config.finalists, config.seeds, len(state.edges))
    state.listener.note(
        f"{sum(map(ledger.planned, ARMS))} trials of {config.epochs} epochs, batch {config.batch_size}; "
        f"then up to {trainings} trainings of the finalists, two seeds of each first."
    )
    remarks = [Note(kind="first_proposal_left_out", text=text) for text in ledger.remarks()]
    remarks += [Note(kind="loss_replaced", text=replaced)] if replaced else []
    for remark in remarks:
        state.listener.note(remark.text)
    engine = state.parts.engine(config, state.run)
    state.keep_seconds("search", _seconds(ledger.records()))
    limits = limits_of(state, trainings * config.epochs, short_list)
    if state.time:
        tried = [candidate for candidate in state.candidates if candidate.student in short_list]
        limits.time = state.time.share(may_try(state.time, tried, config.epochs, ledger.records))
    watched = Watched(source, "search", limits, state.listener)
    watched.begin(source.over, best_of_arms(ledger.records()))
    if not watched.ended_by:  # no worker is started for nothing
        engine.run(Tracked(watched, state.tracker, state.run.path, state.candidates), factory)
    if not state.stop():
        source.check_arms()
    trials = ledger.records()
    write_trials(state.run.path, trials)
    state.keep_seconds("search", _seconds(trials))
    if state.stop():
        raise InterruptedRun(
            f"stopped during the search; finished work is saved, continue with {set_to('resume', True)}"
        )
    planned = {arm: ledger.planned(arm) for arm in ARMS}
    found = arm_notes(trials, planned, state.candidates, watched.ended_by, state.time)
    write_summary(state.run, summarise(state, trials, [*notes, *found], ledger.importance(), remarks))
    return trials


def _seconds(trials: Sequence[TrialRecord]) -> float:
    return sum(trial.seconds for trial in trials)


def conclude(state: State) -> None:
    """The verdict, the student that it recommends, and the report."""
    run, policy = state.run, state.config.policy()
    evidence = read_evidence(run)
    decision = decide(evidence, policy)
    shipped = _export(state, decision)
    report = assemble(
        run,
        decision,
        policy,
        student_path="student" if shipped else None,
        student_test_accuracy=shipped.test_accuracy if shipped else None,
        audit=audit(run, evidence, decision),
    )
    write_reports(run, report)
    track_verdict(state.tracker, report, run.path)


def _export(state: State, decision: Decision) -> SeedResult | None:
    """Write student/ for a verdict that recommends one, of its seeds the one best on validation; else remove it."""
    chosen = decision.options.recommended(decision.verdict)
    if chosen is None or chosen.finalist is None:
        shutil.rmtree(state.run.student_path, ignore_errors=True)
        return None
    finalist = next(record for record in read_finalists(state.run.path) if record.number == chosen.finalist)
    best = finalist.shipped
    weights = state.run.finalist_path(finalist.number, best.seed) / WEIGHTS
    card = Card(decision, finalist, state.prepared.task, state.prepared.teacher, state.cost_model)
    state.parts.export(state.run, finalist, weights, state.prepared.task, model_card(card))
    return best
