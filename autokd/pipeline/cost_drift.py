"""The drift of the machine's speed over a run: a reading of one hour is no price for a year."""

from __future__ import annotations

from math import log

from autokd.errors import ConfigError
from autokd.pipeline.search_summary import write_summary
from autokd.pipeline.stages import State
from autokd.records import Note
from autokd.runs.store import COSTS, SEARCH

TOLD = 0.10  # of the teacher's speed, above which the drift is said


def read_cost_again(state: State) -> None:
    """How far the machine's speed has drifted since costs were measured; leaves it in costs.json, once."""
    costs = COSTS.read(state.run.path)
    before = costs.readings[state.prepared.teacher.name].capacity_rps
    if costs.drift is not None or not before:
        return
    try:
        again = state.parts.teacher_again(state.prepared, state.config, costs.cost_model)
    except ConfigError as error:  # all that the verdict rests on is there; it does not fail for this
        state.listener.note(f"The teacher could not be measured again at the end of the run: {error}.")
        return
    if again is None or not again.capacity_rps:
        return
    drift = before / again.capacity_rps
    with state.run.rewriting(COSTS.path(state.run.path)):
        COSTS.write(state.run.path, costs.model_copy(update={"drift": drift}))
    if abs(log(drift)) > log(1 + TOLD):
        text = (
            f"At the end of the run the teacher took {drift:.2f} times as long as when costs were measured, so every "
            "cost may be off by that factor; the ratios between models are not."
        )
        state.listener.note(text)
        summary = SEARCH.read(state.run.path)
        noted = (*summary.remarks, Note(kind="cost_drift", text=text))
        write_summary(state.run, summary.model_copy(update={"remarks": noted}))
