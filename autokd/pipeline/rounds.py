"""The two rounds of the confirmation: what is trained first, and who goes on, as validation alone tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from autokd.decide.economics import within
from autokd.pipeline.stages import State
from autokd.records import Candidate, FinalistRecord
from autokd.runs.arrays import read_labels, read_logits
from autokd.runs.store import COSTS, RESULT
from autokd.tune.contenders import Entrant, contenders
from autokd.tune.seed_plan import (
    FIRST_ROUND,
    Plan,
    beyond,
    first_round,
    fresh_seeds,
    from_seeds,
    keeping,
    second_round,
)

if TYPE_CHECKING:
    from autokd.metrics import Labels
    from autokd.tune.finalists import Finalist


class Settled(NamedTuple):
    """What both rounds train, and who is out after the first."""

    plan: Plan
    stopped: frozenset[int]
    note: str


@dataclass(frozen=True)
class Rounds:
    """What is to be trained: `plan`, and then what `settle` says once that is over."""

    finalists: Sequence[Finalist]
    plan: Plan
    note: str
    stopped: frozenset[int] = frozenset()  # numbers of those that are no contenders
    settle: Callable[[], Settled] | None = None
    later_epochs: int = 0  # of the second round at most


def rounds_of(state: State, finalists: Sequence[Finalist], recorded: Sequence[FinalistRecord]) -> Rounds:
    """Of a search. What is on record stays, and seeds that were added since are trained where they are missing."""
    seed, seeds, looks = state.config.seed, state.config.seeds or 0, state.run.manifest.looks
    least = looks[-1] if looks else 0
    if seeds <= FIRST_ROUND:
        everybody = [finalist.proposal.number for finalist in finalists]
        plan = keeping(second_round(finalists, seed, seeds, everybody, everybody, least), finalists, recorded)
        total = sum(map(len, plan.values()))
        return Rounds(finalists, plan, finalists_note(finalists, f"from {least or seeds} seeds, {total} trainings"))
    first = keeping(first_round(finalists, seed, seeds), finalists, recorded)
    most = from_seeds(finalists, fresh_seeds(seed, seeds))
    total = sum(map(len, most.values()))
    later = {f.proposal: max(0, len(most[f.proposal.number]) - len(first[f.proposal.number])) for f in finalists}
    return Rounds(
        finalists,
        first,
        finalists_note(finalists, f"from {FIRST_ROUND} seeds first, up to {total} trainings"),
        settle=lambda: settled(state, finalists, recorded, least),
        later_epochs=sum(proposal.recipe.epochs * count for proposal, count in later.items()),
    )


def finalists_note(finalists: Sequence[Finalist], extent: str) -> str:
    """Who is trained, and how much of it there is."""
    roles = [_name(finalist) for finalist in finalists]
    return f"{len(finalists)} finalist{'s' if len(roles) > 1 else ''} {extent}: {'; '.join(roles)}."


def settled(state: State, finalists: Sequence[Finalist], recorded: Sequence[FinalistRecord], least: int = 0) -> Settled:
    """Who goes on, by the results of the first seeds that are on disk, and to how many seeds; see `second_round`."""
    config, teacher = state.config, state.prepared.teacher
    aside = beyond(finalists)
    contest = [finalist for finalist in finalists if finalist.proposal.number not in aside]
    entrants = _entrants(state, contest)
    costs = COSTS.read(state.run.path)
    served = [costs.readings[teacher.name], *(form.reading for form in costs.teacher_forms)]  # any may be the best
    cost = min(reading.cost_usd_per_1k.mean for reading in served)
    staying = contenders(entrants, config.policy(), cost, teacher.to_keep)
    through = {entrant.number for entrant in entrants}
    plan = second_round(finalists, config.seed, config.seeds or 0, through, staying, least)
    trained = [f for f in contest if f.proposal.recipe.epochs and f.proposal.number in through]
    return Settled(
        keeping(plan, finalists, recorded),
        frozenset(f.proposal.number for f in contest) - staying,
        _settled_note(trained, staying, plan),
    )


def _entrants(state: State, finalists: Sequence[Finalist]) -> list[Entrant]:
    """Those with a result."""
    candidates = {candidate.student: candidate for candidate in state.candidates}
    labels = read_labels(state.run.path, "val")
    found = (_entrant(state, finalist, candidates[finalist.proposal.student], labels) for finalist in finalists)
    return [entrant for entrant in found if entrant]


def _entrant(state: State, finalist: Finalist, candidate: Candidate, labels: Labels) -> Entrant | None:
    proposal, policy, reading = finalist.proposal, state.config.policy(), candidate.reading
    folders = [state.run.finalist_path(proposal.number, seed) for seed in fresh_seeds(state.config.seed, FIRST_ROUND)]
    logits = [read_logits(folder, "val", len(labels)) for folder in folders if RESULT.exists(folder)]
    if not logits:
        return None
    cost, p95 = reading.cost_usd_per_1k.mean, reading.latency_ms.p95 if reading.latency_ms else None
    in_time = policy.max_latency_ms is None or (p95 is not None and within(p95, policy.max_latency_ms))
    return Entrant(
        number=proposal.number,
        arm=proposal.arm,
        cost=cost,
        correct=np.stack([each.argmax(1) == labels for each in logits]),
        twin_of=finalist.twin_of,
        trained=proposal.recipe.epochs > 0,
        served=in_time and within(cost, policy.max_cost),
    )


def _settled_note(trained: Sequence[Finalist], staying: Collection[int], plan: Plan) -> str:
    """Who goes on and to how many seeds; empty where nobody was trained."""
    going = [finalist for finalist in trained if finalist.proposal.number in staying]
    if not going:
        return ""
    seeds, names = len(plan[going[0].proposal.number]), "; ".join(map(_name, going))
    if len(going) == len(trained):
        return f"After two seeds every finalist can still be an arm's pick or is its twin; they go on to {seeds} seeds."
    return (
        f"After two seeds {len(going)} of {len(trained)} finalists can still be an arm's pick or are its twin; "
        f"they go on to {seeds} seeds: {names}; the others stop."
    )


def _name(finalist: Finalist) -> str:
    return f"{finalist.proposal.student} ({finalist.proposal.arm}, {finalist.role})"
