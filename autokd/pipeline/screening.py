"""The screening of a search: all candidates in short trainings, once for both arms; what is left is the short list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autokd.config import SearchConfig
from autokd.errors import InterruptedRun
from autokd.naming import set_to
from autokd.pipeline.limits import limits_of
from autokd.pipeline.stages import State
from autokd.pipeline.time_limit import may_screen, planned, work_of
from autokd.records import ARMS, Arm, Candidate, Note, Recipe, Screening
from autokd.runs.tables import write_screening

if TYPE_CHECKING:
    from autokd.pipeline.time_plan import Work
    from autokd.tune.engines.protocol import WorkshopFactory
    from autokd.tune.screening import ScreeningPlan
    from autokd.tune.space.space import Space

LEAST_LISTED = 4
SPEND_SHARE = 0.5  # of what --max-spend leaves; the rest is for the trials


def screen(state: State, factory: WorkshopFactory) -> tuple[Screening, list[Note]]:
    """Every candidate's standing and the short list; leaves screening.json and screening.csv.

    Where there are no more candidates than the short list has places, all of them are on it and none is trained.
    """
    from autokd.tune.limits import Watched
    from autokd.tune.screening import ScreeningSource
    from autokd.tune.space.files import read_space
    from autokd.tune.tracked import Tracked

    config = state.config
    space, _ = read_space(config.space).suited(len(state.prepared.task.classes))
    plan = replace(plan_of(config), limited=state.time is not None or config.max_spend is not None)
    source = ScreeningSource(state.run, state.candidates, lambda candidate: _recipe(state, space, candidate), plan)
    engine = state.parts.engine(config, state.run)
    state.keep_seconds("screening", source.screening.seconds)  # what a killed session has spent, too
    limits = limits_of(state, _epochs_after(config))
    if limits.max_spend is not None:
        before = limits.spent - source.screening.seconds / 3600 * limits.usd_per_hour
        limits.kept_back = (1 - SPEND_SHARE) * max(0.0, limits.max_spend - before)
    if time := state.time:

        def work() -> Work:
            return work_of(state, time, source.total - source.over, source.epochs_left(), plan.wanted)

        for sentence in planned(time, work()):
            state.listener.note(sentence)
        limits.time = time.share(may_screen(time, work, lambda: source.coming))
    watched = Watched(source, "screening", limits, state.listener, aside=range(len(state.candidates)))
    watched.begin(source.over, {})
    while source.waiting and not state.stop() and not watched.ended_by:  # an engine may stop asking between two rungs
        engine.run(Tracked(watched, state.tracker, state.run.path, state.candidates), factory)
    state.keep_seconds("screening", source.screening.seconds)
    if state.stop():
        raise InterruptedRun(
            f"stopped during the screening; finished work is saved, continue with {set_to('resume', True)}"
        )
    cut_short = watched.ended_by if source.epochs_left() else None
    screening = source.close()
    write_screening(state.run.path, screening)
    state.listener.note(_told(screening))
    notes = []
    if cut_short:
        notes.append(Note(kind="screening_cut_short", text=_cut_short(screening, cut_short)))
    return screening, notes


def plan_of(config: SearchConfig) -> ScreeningPlan:
    """What a screening of this search is asked for; the settings have to be sized."""
    from autokd.tune.screening import ScreeningPlan

    assert config.trials and config.epochs  # noqa: S101
    return ScreeningPlan(
        wanted=min(config.trials // 2, max(LEAST_LISTED, config.trials // 4 + 1)),
        epochs=config.epochs,
        min_retention=config.min_retention,
        by_cost=config.prefer == "savings",
        seed=config.seed,
    )


def screening_epochs(config: SearchConfig, candidates: Sequence[Candidate]) -> int:
    """Of all students together, at most; the settings have to be sized."""
    from autokd.tune.screening import screening_rungs

    steps = screening_rungs(candidates, plan_of(config))
    sizes = [sum(1 for candidate in candidates if arm in candidate.arms) for arm in ARMS]
    students, epochs = len(candidates), 0
    for rung in steps:
        epochs += students * rung.epochs
        students = min(students, sum(min(rung.staying, size) for size in sizes))
    return epochs


def _recipe(state: State, space: Space, candidate: Candidate) -> Recipe:
    """The default one: of direct training, or with soft labels where labels are hidden, so that all images count."""
    from autokd.tune.space.default_recipe import default_recipe

    config = state.config
    assert config.epochs and config.batch_size  # noqa: S101
    arm: Arm = "distill" if state.prepared.task.unlabelled and "distill" in candidate.arms else "direct"
    fields = default_recipe(space, arm, candidate.weights is not None, candidate.family)
    return Recipe(epochs=config.epochs, batch_size=config.batch_size, ema=config.ema, **fields)


def _epochs_after(config: SearchConfig) -> int:
    from autokd.tune.finalists import most_trainings

    assert config.trials and config.epochs and config.finalists and config.seeds  # noqa: S101
    return (config.trials + most_trainings(config.finalists, config.seeds)) * config.epochs


def _cut_short(screening: Screening, ended_by: str) -> str:
    count = len(screening.students)
    if screening.looked_at == count:
        return f"The screening had looked at all {count} students, but not for long, when {ended_by} was reached."
    return f"{screening.looked_at} of {count} students had been looked at when {ended_by} was reached."


def _told(screening: Screening) -> str:
    names = ", ".join(screening.short_list)
    if not screening.rungs:
        return f"All {len(screening.students)} students are on the short list: {names}."
    return (
        f"Looked at {screening.looked_at} of {len(screening.students)} students; "
        f"{len(screening.short_list)} on the short list: {names}."
    )
